import type { RarefyError } from '@rarefy/core';

type ErrorType = { readonly code: string; isInstance(error: unknown): boolean };

/** @throws Error with the message if the condition does not hold. */
export function ensure(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** @throws Error at the first difference above `tolerance`, in absolute value. 0 and -0 are equal, and so are two NaN. */
export function ensureClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  ensure(actual.length === expected.length, `${what}: expected ${expected.length} values, got ${actual.length}`);
  const range = tolerance > 0 ? ` ± ${tolerance}` : '';
  for (let index = 0; index < expected.length; index++) {
    const [seen, wanted] = [actual[index]! + 0, expected[index]! + 0];
    const same = Object.is(seen, wanted) || Math.abs(seen - wanted) <= tolerance;
    ensure(same, `${what}: expected ${wanted}${range} at index ${index}, got ${seen}`);
  }
}

/** @throws Error at the first difference. */
export function ensureEqual(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  ensureClose(actual, expected, 0, what);
}

/** @throws Error at the first value that is NaN or infinite. */
export function ensureFinite(values: ArrayLike<number>, what: string): void {
  const bad = Array.prototype.findIndex.call(values, (value) => !Number.isFinite(value));
  ensure(bad < 0, `${what}: expected finite numbers, got ${values[bad]} at index ${bad}`);
}

/** @throws Error at the first difference between two values of plain objects, lists and typed arrays. */
export function ensureSame(actual: unknown, expected: unknown, what: string): void {
  if (typeof expected !== 'object' || expected === null) {
    ensure(Object.is(actual, expected), `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
    return;
  }
  ensure(typeof actual === 'object' && actual !== null, `${what}: expected an object, got ${actual}`);
  const [seen, wanted] = [Object.entries(actual), Object.entries(expected)];
  ensure(seen.length === wanted.length, `${what}: expected ${wanted.length} entries, got ${seen.length}`);
  for (const [key, value] of wanted) ensureSame(Reflect.get(actual, key), value, `${what}, ${key}`);
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

/** Aborts a call while it runs: it must reject with the signal's reason, or finish early with a result that `accept` accepts. */
export async function ensureAbortsMidway<Result>(
  call: (signal: AbortSignal) => Promise<Result>,
  accept: (result: Result) => void,
): Promise<void> {
  const reason = new Error('stopped by the check');
  for (const turn of [async () => {}, () => new Promise((resolve) => setTimeout(resolve))]) {
    const controller = new AbortController();
    const outcome = call(controller.signal).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    await turn();
    controller.abort(reason);
    const ended = await outcome;
    if ('result' in ended) accept(ended.result);
    else ensure(ended.error === reason, `a call aborted midway: expected the signal's reason, got ${ended.error}`);
  }
}
