import type { CallOptions, Component } from '@rarefy/core';
import { formCheck } from '../src/component-checks.js';
import type { Subject } from '../src/subjects.js';

/** A subject that is broken on purpose, in one way, to prove that a check catches it. */
export interface Mutant<Tested> {
  /** What is wrong with it. */
  readonly name: string;
  /** Name of the check that must catch this fault. */
  readonly caughtBy: string;
  readonly subject: Tested;
}

/** The component with some members replaced. Unlike a spread, it keeps getters. */
export function altered<Original extends object>(original: Original, changes: Partial<Original>): Original {
  return Object.defineProperties({} as Original, {
    ...Object.getOwnPropertyDescriptors(original),
    ...Object.getOwnPropertyDescriptors(changes),
  });
}

/** Faults that any kind of component can have. */
export function identityMutants<Tested extends Component<string, object>>(
  create: () => Tested,
): Mutant<Subject<Tested>>[] {
  let made = 0;
  const shared = create();
  return [
    { name: 'is the same at every call of create', caughtBy: formCheck, subject: { create: () => shared } },
    {
      name: 'has no capabilities',
      caughtBy: formCheck,
      subject: { create: () => altered(create(), { capabilities: undefined } as unknown as Partial<Tested>) },
    },
    {
      name: 'declares another kind',
      caughtBy: 'declares its version, kind and fingerprint',
      subject: { create: () => altered(create(), { kind: 'weighting' } as Partial<Tested>) },
    },
    {
      name: 'has a counter in its fingerprint',
      caughtBy: 'has a stable fingerprint',
      subject: {
        create: () => altered(create(), { fingerprint: `${create().fingerprint},${made++}` } as Partial<Tested>),
      },
    },
    {
      name: 'had another fingerprint in an earlier process',
      caughtBy: 'has a stable fingerprint',
      subject: { create, fingerprint: `${create().fingerprint},pid=123` },
    },
    {
      name: 'omits an option from its fingerprint',
      caughtBy: 'has a different fingerprint for every option',
      subject: { create, variants: [create] },
    },
  ];
}

/** A component whose method `name` returns what `result` makes, whatever its type. */
export function returning<Tested extends object>(
  create: () => Tested,
  name: keyof Tested & string,
  result: () => unknown,
): Mutant<Subject<Tested>> {
  return {
    name: `returns a wrong type from ${name}`,
    caughtBy: formCheck,
    subject: { create: () => altered(create(), { [name]: result } as Partial<Tested>) },
  };
}

type Call<Input, Options, Result> = (input: Input, options: Options) => Promise<Result>;

/** Breaks a call: it does not stop if its signal is aborted. */
export function ignoringSignal<Input, Options extends CallOptions | undefined, Result>(
  right: Call<Input, Options, Result>,
): Call<Input, Options, Result> {
  return (input, options) => right(input, { ...options, signal: undefined } as Options);
}

/** Breaks a call: if it is aborted midway, it fails with another error than the signal's reason. */
export function hidingReason<Input, Options extends CallOptions | undefined, Result>(
  right: Call<Input, Options, Result>,
): Call<Input, Options, Result> {
  return async (input, options) => {
    options?.signal?.throwIfAborted();
    await turn();
    if (options?.signal?.aborted) throw new Error('the worker has exited');
    return right(input, options);
  };
}

/** Breaks a call: concurrent calls share the variable that holds the input. */
export function sharingInput<Input, Options extends CallOptions | undefined, Result>(
  right: Call<Input, Options, Result>,
): Call<Input, Options, Result> {
  let current: [Input, Options];
  return async (...given) => {
    const signal = given[1]?.signal;
    signal?.throwIfAborted();
    current = given;
    await turn();
    signal?.throwIfAborted();
    return right(...current);
  };
}

/** A disposal that fails the second time, but not when the kit itself disposes the component after the check. */
export function disposingOnce(): AsyncDisposable {
  let disposals = 0;
  return {
    async [Symbol.asyncDispose]() {
      if (++disposals === 2) throw new Error('the memory is already freed');
    },
  };
}

/** Lets other concurrent calls run. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
