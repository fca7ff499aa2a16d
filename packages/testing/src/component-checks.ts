import type { Component } from '@rarefy/core';
import type { Check } from './check.js';
import { ensure } from './ensure.js';
import type { Subject } from './subjects.js';

/** A check for one kind of component, before it is bound to a subject. */
export interface ComponentCheck<Tested> {
  readonly name: string;
  readonly why: string;
  readonly seed?: number;
  readonly requires?: { readonly capability: string; met(component: Tested): boolean };
  /** `create` makes fresh components, which are disposed after the check. */
  run(context: { create(): Promise<Tested>; readonly seed: number }): void | Promise<void>;
}

/** Binds the checks of one kind to a subject, after the checks that apply to every kind. */
export function componentChecks<Tested extends Component<string, object>>(
  kind: Tested['kind'],
  subject: Subject<Tested>,
  checks: readonly ComponentCheck<Tested>[],
): Check[] {
  let probe: Promise<Tested> | undefined; // one component answers for all: capabilities never change
  const probed = () => {
    probe ??= withFresh(subject, (create) => create());
    return probe;
  };
  return [...identityChecks(kind, subject), ...checks].map(({ name, why, seed, requires, run }) => ({
    name,
    why,
    ...(seed === undefined ? {} : { seed }),
    ...(requires && {
      requires: { capability: requires.capability, met: async () => requires.met(await probed()) },
    }),
    run: () => withFresh(subject, async (create) => run({ create, seed: seed ?? 0 })),
  }));
}

/** Passes `use` a function that makes fresh components, and disposes them at the end. */
async function withFresh<Tested, Result>(
  subject: Subject<Tested>,
  use: (create: () => Promise<Tested>) => Promise<Result>,
): Promise<Result> {
  const made: Tested[] = [];
  const create = async () => {
    const component = await subject.create();
    made.push(component);
    return component;
  };
  try {
    return await use(create);
  } finally {
    for (const component of made as Partial<AsyncDisposable>[]) await component[Symbol.asyncDispose]?.();
  }
}

function identityChecks<Tested extends Component<string, object>>(
  kind: string,
  { variants, fingerprint: earlier }: Subject<Tested>,
): ComponentCheck<Tested>[] {
  return [
    {
      name: 'declares its version, kind, fingerprint and capabilities',
      why: 'Training loops, caches and reports read these fields before they call anything.',
      async run({ create }) {
        const { specificationVersion, kind: declared, fingerprint, capabilities } = await create();
        ensure(specificationVersion === 'v1', `expected specificationVersion 'v1', got '${specificationVersion}'`);
        ensure(declared === kind, `expected kind '${kind}', got '${declared}'`);
        ensure(
          typeof fingerprint === 'string' && fingerprint !== '',
          `expected a nonempty string as fingerprint, got ${JSON.stringify(fingerprint)}`,
        );
        ensure(
          typeof capabilities === 'object' && capabilities !== null,
          `expected an object as capabilities, got ${capabilities}`,
        );
      },
    },
    {
      name: 'has a stable fingerprint',
      why: 'Caches and saved states are matched by it, also in later processes.',
      async run({ create }) {
        const [one, other] = [(await create()).fingerprint, (await create()).fingerprint];
        ensure(one === other, `two equal components have different fingerprints, "${one}" and "${other}"`);
        ensure(
          earlier === undefined || one === earlier,
          `the fingerprint is "${one}", but was "${earlier}" in an earlier process`,
        );
      },
    },
    {
      name: 'has a different fingerprint for every option',
      why: 'If two settings share a fingerprint, a cache returns the numbers of the wrong one.',
      requires: { capability: 'variants in the subject', met: () => variants !== undefined },
      async run({ create }) {
        const seen = [(await create()).fingerprint];
        for (const variant of variants!) {
          await withFresh({ create: variant }, async (createVariant) => {
            seen.push((await createVariant()).fingerprint);
          });
        }
        const repeated = seen.find((value, index) => seen.indexOf(value) < index);
        ensure(repeated === undefined, `components with different options share the fingerprint "${repeated}"`);
      },
    },
  ];
}
