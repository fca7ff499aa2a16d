import { type Component, described } from '@rarefy/core';
import type { Check } from './check.js';
import { ensure, ensureMethods } from './ensure.js';
import { type ComponentKind, checkSubject, needed } from './subject-members.js';
import type { Subject } from './subjects.js';

/** A check for one kind of component, before it is bound to a subject. */
export interface ComponentCheck<Tested> {
  readonly name: string;
  readonly why: string;
  readonly seed?: number;
  readonly stopsIfFailed?: boolean;
  readonly requires?: { readonly capability: string; met(component: Tested): boolean };
  /** `create` makes fresh components, which are disposed after the check. */
  run(context: { create(): Promise<Tested>; readonly seed: number }): void | Promise<void>;
}

/** What a component must have before any other check makes sense. */
export interface ComponentForm<Tested> {
  readonly methods: readonly (string | symbol)[];
  /** Calls the main methods once. @throws Error if a result has the wrong type. */
  results(component: Tested): void | Promise<void>;
}

/** Name of the check that comes first in every suite. If it fails, the others are skipped. */
export const formCheck = 'has the methods of its interface, with results of the right types';
export const formReason = 'The other checks call these methods, so they are skipped until this one passes.';

/** Binds the checks of one kind to a subject, after the checks that apply to every kind. */
export function componentChecks<Tested extends Component<string, object>>(
  kind: Tested['kind'] & ComponentKind,
  subject: Subject<Tested>,
  form: ComponentForm<Tested>,
  checks: readonly ComponentCheck<Tested>[],
): Check[] {
  checkSubject(kind, subject);
  let probe: Promise<Tested> | undefined; // one component answers for all: capabilities never change
  const probed = () => {
    probe ??= withFresh(subject, (create) => create());
    return probe;
  };
  return [formCheckOf(kind, form), ...identityChecks(kind, subject), ...checks].map((check) => bound(check));

  function bound({ name, why, seed, stopsIfFailed, requires, run }: ComponentCheck<Tested>): Check {
    return {
      name,
      why,
      ...(stopsIfFailed && { stopsIfFailed }),
      ...(seed === undefined ? {} : { seed }),
      ...(requires && {
        requires: { capability: requires.capability, met: async () => requires.met(await probed()) },
      }),
      run: () => withFresh(subject, async (create) => run({ create, seed: seed ?? 0 })),
    };
  }
}

function formCheckOf<Tested extends object>(
  kind: string,
  { methods, results }: ComponentForm<Tested>,
): ComponentCheck<Tested> {
  return {
    name: formCheck,
    why: formReason,
    stopsIfFailed: true,
    async run({ create }) {
      const component = await create();
      ensureMethods(component, methods, `the ${kind}`);
      const { capabilities } = component as { readonly capabilities?: unknown };
      const isObject = typeof capabilities === 'object' && capabilities !== null;
      ensure(isObject, `expected an object as capabilities, got ${described(capabilities)}`);
      ensureFresh(component, await create());
      await results(component);
    },
  };
}

/** @throws Error if `create` returned the same object twice. */
export function ensureFresh(one: object, other: object): void {
  ensure(one !== other, 'create returned the same object twice; it must make a new one at every call');
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
    for (const component of made as (Partial<AsyncDisposable> | undefined)[]) {
      await component?.[Symbol.asyncDispose]?.();
    }
  }
}

function identityChecks<Tested extends Component<string, object>>(
  kind: ComponentKind,
  { variants, fingerprint: earlier }: Subject<Tested>,
): ComponentCheck<Tested>[] {
  return [
    {
      name: 'declares its version, kind and fingerprint',
      why: 'Training loops, caches and reports read these fields before they call anything.',
      async run({ create }) {
        const { specificationVersion, kind: declared, fingerprint } = await create();
        ensure(specificationVersion === 'v1', `expected specificationVersion 'v1', got '${specificationVersion}'`);
        ensure(declared === kind, `expected kind '${kind}', got '${declared}'`);
        ensure(
          typeof fingerprint === 'string' && fingerprint !== '',
          `expected a nonempty string as fingerprint, got ${JSON.stringify(fingerprint)}`,
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
      requires: { capability: needed(kind, 'variants'), met: () => variants !== undefined },
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
