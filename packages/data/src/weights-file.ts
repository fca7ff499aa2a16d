import { type CallOptions, callOptionNames, checkItemArray, checkOptions, InputError, ShapeError } from '@rarefy/core';
import { quoted, readLines, writeJsonl } from '@rarefy/io';

/** One density and one weight per prompt. */
export interface WeightColumns {
  /** Larger is more crowded; finite. */
  readonly density: Float64Array;
  /** Unnormalized probability of a draw; finite and ≥ 0. */
  readonly weights: Float64Array;
}

/**
 * Writes JSON Lines of `{id, density, weight, probability}`, one line per prompt, in order. Reading gives the same doubles.
 * @throws ShapeError if the lengths differ; what writeJsonl throws.
 */
export async function writeWeights(
  path: string,
  ids: readonly string[],
  { density, weights }: WeightColumns,
  options: CallOptions = {},
): Promise<void> {
  checkOptions(options, callOptionNames, 'writeWeights');
  checkItemArray(ids, 'writeWeights');
  if (density.length !== ids.length || weights.length !== ids.length) {
    throw new ShapeError(
      `there are ${ids.length} ids, ${density.length} densities and ${weights.length} weights; give one of each per prompt`,
    );
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const lines = ids.map((id, position) => ({
    id,
    density: density[position],
    weight: weights[position],
    probability: weights[position]! / total,
  }));
  await writeJsonl(path, lines, options);
}

/**
 * Reads a file of {@link writeWeights} for some prompts, by id: lines can have any order. Probabilities are ignored.
 * @param ids the id of each prompt, all different
 * @returns densities and weights in the order of `ids`
 * @throws InputError if a line is not valid, or if ids are missing, extra or repeated, with how many and the first one.
 */
export async function readWeights(
  path: string,
  ids: readonly string[],
  options: CallOptions = {},
): Promise<WeightColumns> {
  checkOptions(options, callOptionNames, 'readWeights');
  checkItemArray(ids, 'readWeights');
  const positionOf = new Map(ids.map((id, position) => [id, position]));
  const density = new Float64Array(ids.length);
  const weights = new Float64Array(ids.length);
  const found = new Set<string>();
  const extra: string[] = [];
  const repeated: string[] = [];
  const toRow = (value: unknown, line: number) => toWeight(value, `${path}, line ${line}`);
  for await (const { value: row } of readLines(path, toRow, options, `${weighAgain}.`)) {
    const position = positionOf.get(row.id);
    if (position === undefined) extra.push(row.id);
    else if (found.has(row.id)) repeated.push(row.id);
    else {
      found.add(row.id);
      density[position] = row.density;
      weights[position] = row.weight;
    }
  }
  const missing = ids.filter((id) => !found.has(id));
  const problems = [problem('missing', missing), problem('extra', extra), problem('repeated', repeated)].filter(
    Boolean,
  );
  if (problems.length === 0) return { density, weights };
  throw new InputError(`${path} does not fit the ${ids.length} prompts: ${problems.join('; ')}. ${weighAgain}`);
}

/** What to do about a file that does not fit or has a bad line: no line can be skipped, because every prompt needs its weight. */
const weighAgain = 'Weigh the same prompts with: rarefy density';

function problem(kind: string, ids: readonly string[]): string {
  return ids.length === 0 ? '' : `${kind} ids: ${ids.length}, the first is ${quoted(ids[0]!)}`;
}

function toWeight(value: unknown, line: string): { id: string; density: number; weight: number } {
  const { id, density, weight } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string')
    throw new InputError(`${line}: expected {id, density, weight}, and the id is ${show(id)}.`);
  if (typeof density !== 'number') throw new InputError(`${line}: density must be a number, got ${show(density)}.`);
  if (typeof weight !== 'number' || weight < 0) {
    throw new InputError(`${line}: weight must be a number ≥ 0, got ${show(weight)}.`);
  }
  return { id, density, weight };
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : String(JSON.stringify(value)).slice(0, 80);
}
