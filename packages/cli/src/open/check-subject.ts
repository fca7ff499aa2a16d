import { readFile } from 'node:fs/promises';
import { InputError, InvalidArgumentError, nearestName, shown } from '@rarefy/core';
import { type ComponentKind, type Subject, subjectMembers, suites } from '@rarefy/testing';
import { called, type ExportedFunction, exportedFunction } from './factory.js';
import type { ImportedFile } from './import-file.js';

/** Size and seed of the main component; the checks compare it with others. */
const count = 37;
const seed = 3;

/** Kinds whose functions get other arguments than a size and a seed, and return objects without a `kind`. */
const plainKinds: readonly string[] = ['loader', 'metric-logger', 'forward-model'] satisfies ComponentKind[];

/** How the suite of a kind creates the components of a file. */
export interface FoundSubject {
  readonly kind: ComponentKind;
  /** The component's fingerprint, for the report. Loaders, loggers and forward models have none. */
  readonly fingerprint: string | undefined;
  /** Exports that the checks do not know, but whose name is near one that they do. */
  readonly misspelled: readonly Misspelled[];
  readonly subject: never; // unknown until the checks have run
}

export interface Misspelled {
  readonly name: string;
  readonly near: string;
}

export interface SubjectOptions {
  /** The exported function; default the default export, or the only one. */
  readonly name?: string | undefined;
  /** Default: that of the component. */
  readonly kind?: ComponentKind | undefined;
  /** File of the texts for an embedder, one per line. */
  readonly texts?: string | undefined;
}

/**
 * Finds the factory that a file exports. Checks call it as `factory(count, seed)`, with only as many arguments as it declares;
 * functions of loaders, loggers and forward models get what `subjectMembers` says. The file can also export the optional members of
 * the subject by their names, such as `read` of an exporter, `fromWeights(weights, seed)` of a sampler, or a list of `variants`.
 * @throws InputError if there is no such function, if it returns something of an unknown kind, or if the texts are too few.
 */
export async function findSubject(
  imported: ImportedFile,
  file: string,
  options: SubjectOptions,
): Promise<FoundSubject> {
  const factory = exportedFunction(imported, file, options.name);
  const takes = factory.length;
  const make = (...given: [number, number]) => factory(...given.slice(0, takes));
  if (options.kind !== undefined && plainKinds.includes(options.kind)) {
    checkTextsApply(options.kind, options);
    const subject = { create: factory, ...optionalMembers(options.kind, imported) };
    const misspelled = misspelledMembers(options.kind, imported, factory);
    return { kind: options.kind, fingerprint: undefined, misspelled, subject: subject as never };
  }
  const component = await firstOf(factory, file);
  const kind = options.kind ?? component.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(suites, kind)) {
    throw new InputError(
      kind === undefined
        ? `the function returned an object without a kind; give --kind: ${Object.keys(suites).join(', ')}.`
        : `the function returned an object of the kind ${JSON.stringify(kind)}; kinds are ${Object.keys(suites).join(', ')}, and --kind overrides it.`,
    );
  }
  checkTextsApply(kind, options);
  const isSampler = kind === 'sampler';
  const members = optionalMembers(kind as ComponentKind, imported);
  const { fromWeights, variants: exported = [] } = members;
  if (!Array.isArray(exported)) throw new InputError(`${file} exports variants, which must be an array of functions.`);
  const variants = [
    ...exported,
    ...(isSampler && takes >= 1 ? [() => make(count + 1, seed)] : []),
    ...(takes >= 2 ? [() => make(count, seed + 1)] : []),
  ];
  const subject = {
    ...members,
    create: () => make(count, seed),
    ...(variants.length > 0 && { variants }),
    ...(isSampler && takes >= 1 && { size: count }),
    ...(typeof fromWeights === 'function' && {
      fromWeights: (weights: Float64Array) => (fromWeights as ExportedFunction)(weights, seed),
    }),
    ...(options.texts !== undefined && { texts: await readTexts(options.texts) }),
  } satisfies Subject<unknown>;
  return {
    kind: kind as ComponentKind,
    fingerprint: String(component.fingerprint),
    misspelled: misspelledMembers(kind as ComponentKind, imported, factory),
    subject: subject as never,
  };
}

/** The optional members of a subject that the file exports. */
function optionalMembers(kind: ComponentKind, { exports }: ImportedFile): Record<string, unknown> {
  const names = Object.keys(subjectMembers[kind].optional).filter((name) => exports[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, exports[name]]));
}

function misspelledMembers(
  kind: ComponentKind,
  { exports }: ImportedFile,
  factory: ExportedFunction,
): readonly Misspelled[] {
  const known = Object.keys(subjectMembers[kind].optional);
  return Object.keys(exports).flatMap((name) => {
    if (known.includes(name) || exports[name] === factory) return [];
    const near = nearestName(name, known);
    return near === undefined ? [] : [{ name, near }];
  });
}

function checkTextsApply(kind: string, { texts }: SubjectOptions): void {
  if (texts === undefined || kind === 'embedder') return;
  throw new InvalidArgumentError(`--texts applies only to embedders; the component is of the kind ${kind}.`);
}

async function readTexts(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split(/\r?\n/).filter((line) => line.trim() !== '');
  const texts = [...new Set(lines)];
  if (texts.length >= 3) return texts;
  throw new InputError(`${file} holds ${texts.length} different texts, one per line; the checks need at least 3.`);
}

/** What to do with a function that expects other arguments. */
const others =
  'It must return the component. A loader, whose function takes prompts, needs --kind loader; for a function of texts, return embedderFrom({ name, dimensions, embed })';

async function firstOf(factory: ExportedFunction, file: string): Promise<Record<string, unknown>> {
  const given = [count, seed].slice(0, factory.length);
  const how =
    given.length === 0
      ? 'without arguments'
      : given.length === 1
        ? `with ${count}, a number of items`
        : `with (${count}, ${seed}), a number of items and a seed`;
  const component = await called(factory, file, given, how, others);
  if (typeof component === 'object' && component !== null) {
    await (component as Partial<AsyncDisposable>)[Symbol.asyncDispose]?.();
    return component as Record<string, unknown>;
  }
  throw new InputError(`the function returned ${shown(component)}, and not a component.`);
}
