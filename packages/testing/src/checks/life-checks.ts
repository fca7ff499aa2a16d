import { RarefyError } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureAborts, ensureAbortsMidway, ensureClose, ensureFailsOr, ensureUnchanged } from '../ensure.js';

/** The arrays of a result, by name. They belong to the caller. */
type Arrays = Readonly<Record<string, Float32Array | Float64Array | Int32Array | Uint8Array>>;

/**
 * The main method of a kind of component: `embedBatch`, `search`, `fit`, `project` or `export`. The checks in this file work for
 * every kind, because they use a component only through this interface.
 */
export interface MainCall<Tested, Input> {
  /** Name of the method, for messages. */
  readonly method: string;
  /** Makes a component that is ready for the call. */
  ready(create: () => Promise<Tested>): Promise<Tested>;
  /** Two different inputs, made anew at every call. */
  inputs(): readonly [Input, Input];
  /** An input whose result is one row, for components that keep rows in a memo. */
  oneRow?(): Input;
  call(component: Tested, input: Input, signal?: AbortSignal): Promise<Arrays>;
  /** Largest difference in any number between results for the same input; default 0. */
  tolerance?(component: Tested): number;
  /** Other calls of the component that must reject if the signal is aborted. */
  otherCalls?(component: Tested): readonly ((signal: AbortSignal) => unknown)[];
}

export function leavesInputUnchanged<Tested, Input>(main: MainCall<Tested, Input>): ComponentCheck<Tested> {
  return {
    name: 'does not modify its input',
    why: 'Callers pass the same texts, points and views to other components.',
    async run({ create }) {
      const component = await main.ready(create);
      const [input] = main.inputs();
      await main.call(component, input);
      ensureUnchanged(input, main.inputs()[0], `the input of ${main.method}`, 'input');
    },
  };
}

export function leavesResultsToCaller<Tested, Input>(main: MainCall<Tested, Input>): ComponentCheck<Tested> {
  return {
    name: 'does not reuse the arrays that it returns',
    why: 'Callers keep, normalize and overwrite the arrays that they get.',
    async run({ create }) {
      const component = await main.ready(create);
      const [input, other] = main.inputs();
      const held = await main.call(component, input);
      const kept = copy(held);
      await main.call(component, other);
      ensureEqualArrays(held, kept, 0, 'of an earlier result after another call');
      await ensureOwned(main, component, input, held, kept);
      if (!main.oneRow) return;
      const row = await main.call(component, main.oneRow());
      await ensureOwned(main, component, main.oneRow(), row, copy(row));
    },
  };
}

/** Overwrites a result and later ones for the same input: a memo may hand out its own array only when it finds the input again. */
async function ensureOwned<Tested, Input>(
  main: MainCall<Tested, Input>,
  component: Tested,
  input: Input,
  first: Arrays,
  expected: Arrays,
): Promise<void> {
  let result = first;
  for (let call = 0; call < 2; call++) {
    for (const values of Object.values(result)) values.fill(7);
    result = await main.call(component, input);
    ensureResult(
      main,
      component,
      result,
      expected,
      'after the caller wrote 7 over an earlier result of the same input',
    );
  }
}

export function separatesConcurrentCalls<Tested, Input>(main: MainCall<Tested, Input>): ComponentCheck<Tested> {
  return {
    name: 'keeps concurrent calls separate',
    why: 'Training and evaluation share components.',
    async run({ create }) {
      const component = await main.ready(create);
      const [one, other] = main.inputs();
      const expected = [copy(await main.call(component, one)), copy(await main.call(component, other))];
      const found = await Promise.all([main.call(component, one), main.call(component, other)]);
      for (const [index, result] of found.entries()) {
        ensureResult(main, component, result, expected[index]!, `of concurrent call ${index}`);
      }
    },
  };
}

/** @param requires that the component claims to be deterministic; default: every component of this kind must be */
export function repeatsResults<Tested, Input>(
  main: MainCall<Tested, Input>,
  requires?: ComponentCheck<Tested>['requires'],
): ComponentCheck<Tested> {
  return {
    name: 'returns the same result for the same input',
    why: 'Experiments must be repeatable, and a resumed job must end with the same files.',
    ...(requires && { requires }),
    async run({ create }) {
      const component = await main.ready(create);
      const [input] = main.inputs();
      const first = copy(await main.call(component, input));
      ensureEqualArrays(await main.call(component, input), first, 0, 'of a second call');
      ensureEqualArrays(await main.call(await main.ready(create), input), first, 0, 'of an equal component');
    },
  };
}

export function rejectsIfAborted<Tested, Input>(main: MainCall<Tested, Input>): ComponentCheck<Tested> {
  return {
    name: 'rejects if its signal is already aborted',
    why: 'Users must be able to stop long work, see the reason, and use the component again.',
    async run({ create }) {
      const component = await main.ready(create);
      const [input] = main.inputs();
      const expected = copy(await main.call(component, input));
      for (const call of main.otherCalls?.(component) ?? []) await ensureAborts(call);
      await ensureAborts((signal) => main.call(component, input, signal), main.method);
      ensureResult(main, component, await main.call(component, input), expected, 'after an aborted call');
    },
  };
}

export function rejectsIfAbortedMidway<Tested, Input>(main: MainCall<Tested, Input>): ComponentCheck<Tested> {
  return {
    name: 'rejects with the reason if it is aborted midway',
    why: 'Ctrl-C must not look like a failure of the component, and must leave it usable.',
    async run({ create }) {
      const component = await main.ready(create);
      const [input] = main.inputs();
      const expected = copy(await main.call(component, input));
      await ensureAbortsMidway(
        (signal) => main.call(component, input, signal),
        (result) => ensureResult(main, component, result, expected, 'of a call that finished before the abort'),
      );
      ensureResult(main, component, await main.call(component, input), expected, 'after a call aborted midway');
    },
  };
}

export function disposesTwice<Tested extends AsyncDisposable, Input>(
  main: MainCall<Tested, Input>,
): ComponentCheck<Tested> {
  return {
    name: 'can be disposed twice',
    why: 'Cleanup code runs in a finally block and again at exit.',
    async run({ create }) {
      const component = await main.ready(create);
      await main.call(component, main.inputs()[0]);
      await component[Symbol.asyncDispose]();
      await component[Symbol.asyncDispose]();
    },
  };
}

export function failsOrAnswersAfterDisposal<Tested extends AsyncDisposable, Input>(
  main: MainCall<Tested, Input>,
): ComponentCheck<Tested> {
  return {
    name: 'returns no wrong result after disposal',
    why: 'Freed memory gives wrong numbers, and nothing downstream notices.',
    async run({ create }) {
      const component = await main.ready(create);
      const [input] = main.inputs();
      const expected = copy(await main.call(component, input));
      await component[Symbol.asyncDispose]();
      await ensureFailsOr(
        () => main.call(component, input),
        RarefyError,
        (result) => ensureResult(main, component, result, expected, 'after disposal'),
        `${main.method} after disposal`,
      );
    },
  };
}

function copy(arrays: Arrays): Arrays {
  return Object.fromEntries(Object.entries(arrays).map(([name, values]) => [name, values.slice()]));
}

/** Compares a result within the tolerance of the component. @param when phrase for the message, such as `after disposal` */
function ensureResult<Tested, Input>(
  { tolerance }: MainCall<Tested, Input>,
  component: Tested,
  actual: Arrays,
  expected: Arrays,
  when: string,
): void {
  ensureEqualArrays(actual, expected, tolerance?.(component) ?? 0, when);
}

function ensureEqualArrays(actual: Arrays, expected: Arrays, tolerance: number, when: string): void {
  const [seen, wanted] = [Object.keys(actual), Object.keys(expected)];
  ensure(seen.join() === wanted.join(), `expected the arrays ${when} to be [${wanted}], got [${seen}]`);
  for (const name of wanted) ensureClose(actual[name]!, expected[name]!, tolerance, `${name} ${when}`);
}
