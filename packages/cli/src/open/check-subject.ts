import { InputError } from '@rarefy/core';
import { type ComponentKind, type SamplerSubject, type Subject, suites } from '@rarefy/testing';
import { type ExportedFunction, exportedFunction } from './factory.js';
import type { ImportedFile } from './import-file.js';

/** Size and seed of the main component; the checks compare it with others. */
const count = 37;
const seed = 3;

/** How the suite of a kind creates the components of a file. */
export interface FoundSubject {
  readonly kind: ComponentKind;
  /** The component's fingerprint, for the report. */
  readonly fingerprint: string;
  readonly subject: Subject<never> & Omit<SamplerSubject, keyof Subject<never>>;
}

/**
 * Finds the factory that a file exports. Checks call it as `factory(count, seed)`, with only as many arguments as it declares.
 * The file of a sampler can also export `fromWeights(weights, seed)`.
 * @throws InputError if there is no such function, or if it returns something of an unknown kind.
 */
export async function findSubject(
  imported: ImportedFile,
  file: string,
  options: { readonly name?: string | undefined; readonly kind?: ComponentKind | undefined },
): Promise<FoundSubject> {
  const factory = exportedFunction(imported, file, options.name);
  const takes = factory.length;
  const make = (...given: [number, number]) => factory(...given.slice(0, takes));
  const component = await firstOf(make);
  const kind = options.kind ?? component.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(suites, kind)) {
    throw new InputError(
      `the function returned an object of the kind ${JSON.stringify(kind)}; kinds are ${Object.keys(suites).join(', ')}, and --kind overrides it.`,
    );
  }
  const isSampler = kind === 'sampler';
  const { fromWeights } = imported.exports;
  const variants = [
    ...(isSampler && takes >= 1 ? [() => make(count + 1, seed)] : []),
    ...(takes >= 2 ? [() => make(count, seed + 1)] : []),
  ];
  const subject = {
    create: () => make(count, seed),
    ...(variants.length > 0 && { variants }),
    ...(isSampler && takes >= 1 && { size: count }),
    ...(isSampler &&
      typeof fromWeights === 'function' && {
        fromWeights: (weights: Float64Array) => (fromWeights as ExportedFunction)(weights, seed),
      }),
  };
  return {
    kind: kind as ComponentKind,
    fingerprint: String(component.fingerprint),
    subject: subject as unknown as FoundSubject['subject'], // unknown until the checks have run
  };
}

async function firstOf(make: (count: number, seed: number) => unknown): Promise<Record<string, unknown>> {
  let component: unknown;
  try {
    component = await make(count, seed);
  } catch (cause) {
    throw new InputError(
      `the function failed when it was called with (${count}, ${seed}), a number of items and a seed: ${(cause as Error).message}`,
      { cause },
    );
  }
  if (typeof component === 'object' && component !== null) {
    await (component as Partial<AsyncDisposable>)[Symbol.asyncDispose]?.();
    return component as Record<string, unknown>;
  }
  throw new InputError(`the function returned ${String(component)}, and not a component.`);
}
