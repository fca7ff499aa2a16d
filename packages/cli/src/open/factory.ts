import { type Embedder, InputError, type Sampler, type TokenCountingEmbedder } from '@rarefy/core';
import { type ImportedFile, importFile } from './import-file.js';

/** Any function that a file exports. */
export type ExportedFunction = (...given: readonly unknown[]) => unknown;

/** Functions that a file exports beside its component, for `rarefy check` and for weights. */
const companions = ['fromWeights', 'read', 'rows', 'countTensors'];

/**
 * The function that a file exports: the one called `name`, else the default export, else its only function besides those for checks
 * (`fromWeights`, `read`, `rows`, `countTensors`).
 * @throws InputError if there is no such function.
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
  if (found !== undefined && functions.includes(found)) return exports[found] as ExportedFunction;
  const seen = functions.length === 0 ? 'exports no function' : `exports the functions ${functions.join(', ')}`;
  const fix = name === undefined ? 'export one function, as the default if there are more' : `none is named ${name}`;
  throw new InputError(`${file} ${seen}; ${fix}.`);
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
    ? await (fromWeights as ExportedFunction)(weights, seed)
    : await exportedFunction(imported, file)(size, seed);
  return { sampler: ofKind<Sampler>('sampler', sampler, file), digest: imported.digest };
}

/**
 * Opens the embedder that a file exports: the default export, or its only function, called without arguments.
 * @throws InputError if the file exports no such function or the function returns no embedder.
 */
export async function openEmbedderOf(file: string) {
  const imported = await importFile(file);
  const embedder: unknown = await exportedFunction(imported, file)();
  return { embedder: ofKind<Embedder | TokenCountingEmbedder>('embedder', embedder, file), digest: imported.digest };
}

/** @throws InputError if the value is not a component of this kind. */
function ofKind<Kind extends { readonly kind: string }>(kind: Kind['kind'], value: unknown, file: string): Kind {
  if ((value as Partial<Kind> | null | undefined)?.kind === kind) return value as Kind;
  throw new InputError(
    `the function of ${file} returned ${describe(value)}, not ${kind === 'embedder' ? 'an' : 'a'} ${kind}; see: rarefy check ${file}`,
  );
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return `an object of kind ${JSON.stringify((value as { kind?: unknown }).kind)}`;
}
