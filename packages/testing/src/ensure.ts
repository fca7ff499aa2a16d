import { described, type Matrix, type RarefyError } from '@rarefy/core';

type ErrorType = { readonly code: string; isInstance(error: unknown): boolean };

/** @throws Error with the message if the condition does not hold. */
export function ensure(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/**
 * @param what noun phrase for the message, such as `densities of shuffled rows`
 * @throws Error at the first difference above `tolerance`, in absolute value. 0 and -0 are equal, and so are two NaN.
 */
export function ensureClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  const length = expected.length;
  ensure(actual.length === length, `expected ${what} to have ${length} values, got ${actual.length}`);
  const range = tolerance > 0 ? ` ± ${Number(tolerance.toPrecision(2))}` : '';
  for (let index = 0; index < length; index++) {
    const [seen, wanted] = [actual[index]! + 0, expected[index]! + 0];
    const same = Object.is(seen, wanted) || Math.abs(seen - wanted) <= tolerance;
    ensure(same, `expected ${what} to be ${wanted}${range} at index ${index}, got ${seen}`);
  }
}

/** @throws Error at the first difference. */
export function ensureEqual(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  ensureClose(actual, expected, 0, what);
}

/** @throws Error at the first value that is NaN or infinite. */
export function ensureFinite(values: ArrayLike<number>, what: string): void {
  const bad = Array.prototype.findIndex.call(values, (value) => !Number.isFinite(value));
  ensure(bad < 0, `expected ${what} to be finite, got ${values[bad]} at index ${bad}`);
}

/** Compares plain objects, lists and typed arrays. @throws Error at the first difference, with its path. */
export function ensureUnchanged(actual: unknown, original: unknown, what: string, path = ''): void {
  if (typeof original !== 'object' || original === null) {
    const same = Object.is(actual, original);
    ensure(same, `${what} changed: ${path} was ${JSON.stringify(original)} and is ${JSON.stringify(actual)}`);
    return;
  }
  const [entries, before] = [Object.entries(actual as object), Object.entries(original)];
  const length = before.length;
  ensure(entries.length === length, `${what} changed: ${path} had ${length} entries and has ${entries.length}`);
  for (const [key, value] of before) ensureUnchanged(Reflect.get(actual as object, key), value, what, `${path}/${key}`);
}

/** @throws Error unless `value` is an object with these methods. @param what noun phrase for the message, such as `the loader` */
export function ensureMethods(value: unknown, methods: readonly (string | symbol)[], what: string): void {
  const hint = typeof value === 'function' ? '; return what the function makes' : '';
  ensure(
    typeof value === 'object' && value !== null,
    `expected ${what} to be an object, got ${described(value)}${hint}`,
  );
  for (const method of methods) {
    const found: unknown = Reflect.get(value, method);
    const name = typeof method === 'symbol' ? `[${method.description}]` : method;
    ensure(typeof found === 'function', `expected ${what} to have a method ${name}, got ${described(found)}`);
  }
}

/** @throws Error unless `value` is an object but not a promise: the result of a method that is synchronous. */
export function ensureNoPromise(value: unknown, method: string): void {
  const what = described(value);
  if (what === 'a promise') (value as Promise<unknown>).then(undefined, () => {}); // its rejection is not what is wrong
  const hint = what === 'a promise' ? `; ${method} is synchronous` : '';
  const isObject = typeof value === 'object' && value !== null && what !== 'a promise';
  ensure(isObject, `expected ${method} to return an object, got ${what}${hint}`);
}

type ArrayName = 'Float32Array' | 'Float64Array' | 'Int32Array' | 'Uint32Array' | 'Uint8Array';

/** @throws Error unless `value` is an array of this type. */
export function ensureTyped(value: unknown, type: ArrayName, what: string): void {
  const seen = Object.prototype.toString.call(value).slice(8, -1); // instanceof fails for arrays of another realm
  const isTyped = seen === type || (type === 'Uint8Array' && value instanceof Uint8Array); // a Buffer is one
  const got = ArrayBuffer.isView(value) ? `a ${seen}` : described(value);
  const hint = Array.isArray(value) ? `; ${type}.from makes one` : '';
  ensure(isTyped, `expected ${what} to be a ${type}, got ${got}${hint}`);
}

/** @throws Error unless `value` is a matrix: its fields only, not its numbers. */
export function ensureMatrix(value: unknown, what: string): asserts value is Matrix {
  const hint = Array.isArray(value) ? '; matrix(rows) of @rarefy/core makes one from an array of rows' : '';
  const form = '{ data: Float32Array, rows, cols }';
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  ensure(isObject, `expected ${what} to be a matrix ${form}, got ${described(value)}${hint}`);
  const { data, rows, cols } = value as Matrix;
  ensureTyped(data, 'Float32Array', `data of ${what}`);
  ensure(
    data.length === rows * cols,
    `expected ${what} to have rows * cols numbers, got ${rows} * ${cols} and ${data.length} numbers`,
  );
}

/** Awaits a call that must fail and returns the error. @throws Error if the call succeeds. */
export async function ensureFails(call: () => unknown, what: string): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error(`expected an error for ${what}, but the call succeeded`);
}

/** Awaits a call that must fail with this class of error and returns the error's message. */
export async function ensureFailsWith(call: () => unknown, type: ErrorType, what: string): Promise<string> {
  const error = await ensureFails(call, what);
  ensure(type.isInstance(error), `expected an error with code ${type.code} for ${what}, got ${error}`);
  return (error as RarefyError).message;
}

/** Awaits a call that must either fail with this class of error or return what `accept` accepts. */
export async function ensureFailsOr<Result>(
  call: () => Result | Promise<Result>,
  type: ErrorType,
  accept: (result: Result) => void,
  what: string,
): Promise<void> {
  let result: Result;
  try {
    result = await call();
  } catch (error) {
    ensure(type.isInstance(error), `expected a result or an error with code ${type.code} for ${what}, got ${error}`);
    return;
  }
  accept(result);
}

/** Awaits a call with a signal that is already aborted: it must reject with the signal's reason. */
export async function ensureAborts(call: (signal: AbortSignal) => unknown, what = 'a call'): Promise<void> {
  const reason = new Error('stopped by the check');
  const error = await ensureFails(() => call(AbortSignal.abort(reason)), `${what} with an aborted signal`);
  ensure(error === reason, `${what} with an aborted signal: expected the signal's reason, got ${error}`);
}

/**
 * Aborts a call while it runs: it must reject with the signal's reason. A call that does not wait for anything else may also finish
 * with a result that `accept` accepts, because it runs to its end before it can notice the abort.
 */
export async function ensureAbortsMidway<Result>(
  call: (signal: AbortSignal) => Promise<Result>,
  accept: (result: Result) => void,
): Promise<void> {
  const reason = new Error('stopped by the check');
  for (const turns of [0, 1, 3]) {
    const controller = new AbortController();
    let pending = true;
    const outcome = call(controller.signal).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    outcome.then(() => {
      pending = false;
    });
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve));
    const mustReject = pending && turns > 0;
    controller.abort(reason);
    const ended = await outcome;
    if ('result' in ended) {
      ensure(
        !mustReject,
        'a call aborted midway went on to its end; expected it to reject with the reason of its signal',
      );
      accept(ended.result);
    } else ensure(ended.error === reason, `a call aborted midway: expected the signal's reason, got ${ended.error}`);
  }
}
