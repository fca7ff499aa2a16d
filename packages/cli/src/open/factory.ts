import { described, type Embedder, InputError, type Sampler, type TokenCountingEmbedder } from '@rarefy/core';
import { didYouMean } from '../shell/did-you-mean.js';
import { type ImportedFile, importFile } from './import-file.js';

/** Any function that a file exports. */
export type ExportedFunction = (...given: readonly unknown[]) => unknown;

/** Functions that a file exports beside its component, for `rarefy check` and for weights. */
const companions = ['fromWeights', 'read', 'rows', 'countTensors'];

/**
 * The function that a file exports: the one called `name`, else the default export, else its only function besides those for checks
 * (`fromWeights`, `read`, `rows`, `countTensors`).
 * @throws InputError if there is no such function, or it is a class.
 */
export function exportedFunction(
  { exports }: Pick<ImportedFile, 'exports'>,
  file: string,
  name?: string | undefined,
): ExportedFunction {
  const functions = Object.keys(exports).filter(
    (key) => typeof exports[key] === 'function' && !companions.includes(key),
  );
  const found = name ?? (functions.includes('default') ? 'default' : functions.length === 1 ? functions[0] : undefined);
  if (found !== undefined && functions.includes(found)) {
    const exported = exports[found] as ExportedFunction;
    if (!/^class\b/.test(Function.prototype.toString.call(exported))) return exported;
    const named = exported.name === '' || exported.name === 'default' ? 'a class' : `the class ${exported.name}`;
    throw new InputError(
      `${file} exports ${named}; export a function that returns an object of it, such as: export default () => new ${exported.name || 'Mine'}()`,
    );
  }
  const components = Object.keys(exports).filter((key) => kindOf(exports[key]) !== undefined);
  const seen =
    functions.length > 0
      ? `exports the functions ${functions.join(', ')}`
      : `exports no function${components.length > 0 ? `, but ${describe(exports[components[0]!])}` : ''}`;
  const fix =
    name !== undefined
      ? `none is named ${name}.${didYouMean(name, functions)}`
      : components.length > 0
        ? 'export a function that returns it.'
        : 'export one function, as the default if there are more.';
  throw new InputError(`${file} ${seen}; ${fix}`);
}

/** A sampler from a file, and the digest of the file's code. */
export interface OpenSampler {
  readonly sampler: Sampler;
  readonly digest: string;
}

/**
 * Opens the sampler that a file exports: `factory(size, seed)`, or `fromWeights(weights, seed)` if weights are given.
 * @throws InputError if the file exports no such function or the function returns no sampler.
 */
export async function openSampler(
  file: string,
  {
    size,
    seed,
    weights,
  }: { readonly size: number; readonly seed: number; readonly weights?: Float64Array | undefined },
): Promise<OpenSampler> {
  const imported = await importFile(file);
  const { fromWeights } = imported.exports;
  if (weights && typeof fromWeights !== 'function') {
    throw new InputError(
      `${file} exports no fromWeights(weights, seed), so its sampler cannot use the weights; export one, or drop the density options.`,
    );
  }
  const sampler: unknown = weights
    ? await called(fromWeights as ExportedFunction, file, [weights, seed], 'with (weights, seed)', ofSizes)
    : await called(exportedFunction(imported, file), file, [size, seed], `with (${size}, ${seed})`, ofSizes);
  return { sampler: ofKind<Sampler>('sampler', sampler, file), digest: imported.digest };
}

/**
 * Opens the embedder that a file exports: the default export, or its only function, called without arguments.
 * @throws InputError if the file exports no such function, or the function throws or returns no embedder.
 */
export async function openEmbedderOf(file: string) {
  const imported = await importFile(file);
  const embedder = await called(exportedFunction(imported, file), file, [], 'without arguments', ofTexts);
  return { embedder: ofKind<Embedder | TokenCountingEmbedder>('embedder', embedder, file), digest: imported.digest };
}

const ofSizes = 'It must return a sampler, given the number of prompts and a seed';
/** What to do with a function from texts to rows. */
const ofTexts =
  'It must return an embedder: if it turns texts into rows, return embedderFrom({ name, dimensions, embed: yourFunction }) of @rarefy/core';

/**
 * What a function of a file returns.
 * @param how ends the phrase "when it was called", for the message
 * @param advice what to do if it throws a TypeError, as a function does that expects other arguments
 * @throws InputError if the function throws.
 */
export async function called(
  run: ExportedFunction,
  file: string,
  given: readonly unknown[],
  how: string,
  advice: string,
): Promise<unknown> {
  try {
    return await run(...given);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const sentence = `the function of ${file} failed when it was called ${how}: ${message}`;
    throw new InputError(cause instanceof TypeError ? `${sentence}. ${advice}.` : sentence, { cause });
  }
}

/** Members that the commands use, besides `kind`. */
const members: Readonly<Record<string, readonly (string | symbol)[]>> = {
  embedder: ['fingerprint', 'capabilities', 'embedBatch', Symbol.asyncDispose],
  sampler: ['fingerprint', 'capabilities', 'draw', 'state', 'restore'],
};

/** @throws InputError if the value is not a component of this kind. */
function ofKind<Kind extends { readonly kind: string }>(kind: Kind['kind'], value: unknown, file: string): Kind {
  const article = kind === 'embedder' ? 'an' : 'a';
  const see = `see: rarefy check ${file}`;
  if (kindOf(value) !== kind) {
    const advice = kind === 'embedder' && kindOf(value) === undefined ? `. ${ofTexts}` : '';
    throw new InputError(
      `the function of ${file} returned ${describe(value)}, not ${article} ${kind}${advice}; ${see}`,
    );
  }
  const lacking = members[kind]!.filter((name) => (value as Record<string | symbol, unknown>)[name] === undefined);
  if (lacking.length === 0) return value as Kind;
  const names = lacking.map((name) => (typeof name === 'symbol' ? '[Symbol.asyncDispose]' : name));
  throw new InputError(`the function of ${file} returned ${article} ${kind} without ${names.join(', ')}; ${see}`);
}

function kindOf(value: unknown): string | undefined {
  const { kind } = Object(value) as { kind?: unknown };
  return typeof kind === 'string' ? kind : undefined;
}

function describe(value: unknown): string {
  const kind = kindOf(value);
  return kind === undefined ? described(value) : `an object of kind ${JSON.stringify(kind)}`;
}
