import {
  type CallOptions,
  callOptionNames,
  checkComponent,
  checkEmbedder,
  checkItemArray,
  checkOptions,
  checkWeighting,
  collect,
  type DensityEstimator,
  type DistanceError,
  type Embedder,
  embedStream,
  InvalidArgumentError,
  type Matrix,
  type RowSource,
  ShapeError,
  type Weighting,
  warn,
} from '@rarefy/core';
import { knnDistance } from './estimators/knn.js';
import { type DensityReport, densityReport } from './report.js';
import { inverseDensity } from './weighting/inverse-density.js';

/** An estimator without `fitRows` gets at most this many bytes of an embedder's rows in memory. */
const maxBytesInMemory = 2 ** 30;

export interface WeighOptions extends CallOptions {
  /** Default `knnDistance({ k: 10 })`. */
  readonly estimator?: DensityEstimator;
  /** From density to weight. Default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /**
   * Rows of more bytes are read in blocks, if the estimator has `fitRows`. The densities are the same, to the bit. Default 2^28.
   */
  readonly memoryBytes?: number;
}

const weighOptionNames = ['estimator', 'weighting', 'memoryBytes', ...callOptionNames] satisfies (keyof WeighOptions)[];

export interface WeighPromptsOptions<Item = string> extends WeighOptions {
  readonly embedder: Embedder<Item>;
  /** Prompts per batch of the embedder. Default 32. */
  readonly batchSize?: number;
}

const promptOptionNames = ['embedder', 'batchSize'] satisfies (keyof WeighPromptsOptions)[];

export interface PromptWeights {
  /** One value per prompt; larger is more crowded. */
  readonly density: Float64Array;
  /** One value per prompt: its unnormalized probability of a draw. */
  readonly weights: Float64Array;
  /** What the weights do to the draws. */
  readonly report: DensityReport;
}

export interface EmbeddedPromptWeights extends PromptWeights {
  /** Fingerprint of the rows that were measured: the embedder's, or another one if the rows only approximate the embedder's. */
  readonly fingerprint: string;
  /** Positions of prompts that were too long for the embedder and were truncated. */
  readonly truncated: readonly number[];
  /** Error of distances between the measured rows, if these only approximate the embedder's rows. */
  readonly distanceError?: DistanceError;
}

/**
 * Weighs prompts by how crowded they are: embeds them, estimates the density of each among the others, and turns densities into
 * weights. Give prompts and an embedder, or rows that are embedded already.
 *
 * If the rows of all prompts take more than `memoryBytes`, an embedder with `embedRows` keeps them on disk.
 *
 * Emits a `work-warning` event for each warning of the report (task `weigh`, code `weights`) and one that counts the truncated
 * prompts (task `embed`, code `truncated`). Without `onEvent`, `console.warn` prints them. Deterministic if embedder, estimator and
 * weighting are.
 * @throws InvalidArgumentError if an option is unknown, if the prompts are no array, if there are none, too few for the estimator,
 * or too many for an estimator without `fitRows`, if `embedder` or `estimator` is not one, or if `weighting` is a weight transform.
 * @throws InvalidArgumentError if the weighting does not return a Float64Array; ShapeError if the estimator or the weighting
 * returns another number of values; InvalidWeightsError for invalid weights.
 * @throws What the embedder, the estimator and the weighting throw; the signal's reason on abort.
 */
export async function weighPrompts<Item>(
  prompts: readonly Item[],
  options: WeighPromptsOptions<Item>,
): Promise<EmbeddedPromptWeights>;
export async function weighPrompts(rows: Matrix | RowSource, options?: WeighOptions): Promise<PromptWeights>;
export async function weighPrompts<Item>(
  given: readonly Item[] | Matrix | RowSource,
  options: WeighOptions | WeighPromptsOptions<Item> = {},
): Promise<PromptWeights | EmbeddedPromptWeights> {
  if (!('rows' in Object(given))) checkItemArray(given, 'weighPrompts');
  checkOptions(options, [...weighOptionNames, ...(isPrompts(given) ? promptOptionNames : [])], 'weighPrompts');
  const { estimator = knnDistance(), weighting = inverseDensity(), ...work } = options;
  checkComponent('density-estimator', estimator, 'weighPrompts');
  checkWeighting(weighting);
  if (isPrompts(given)) checkEmbedder((options as WeighPromptsOptions<Item>).embedder, 'weighPrompts');
  const measured = isPrompts(given)
    ? await embeddedDensity(given, estimator, work as WeighPromptsOptions<Item>)
    : { density: await rowDensity(given, estimator, work) };
  const weights = checkType(weighting(measured.density));
  const report = densityReport(measured.density, weights);
  for (const message of report.warnings) warn(work.onEvent, { task: 'weigh', code: 'weights', message });
  return { ...measured, weights, report };
}

function isPrompts<Item>(given: readonly Item[] | Matrix | RowSource): given is readonly Item[] {
  return Array.isArray(given);
}

async function embeddedDensity<Item>(
  prompts: readonly Item[],
  estimator: DensityEstimator,
  { embedder, memoryBytes = 2 ** 28, batchSize = 32, signal, onEvent }: WeighPromptsOptions<Item>,
): Promise<Omit<EmbeddedPromptWeights, 'weights' | 'report'>> {
  if (prompts.length === 0) throw new InvalidArgumentError('there are no prompts to weigh; give at least two');
  const work = { signal, onEvent };
  if (!embedder.embedRows || 4 * prompts.length * embedder.capabilities.dimensions <= memoryBytes) {
    const { points, truncated } = await embedInMemory(embedder, prompts, { batchSize, ...work });
    warnOfTruncation(truncated.length, prompts.length, work);
    const density = checkLength(await estimator.fit(points, work), prompts.length, 'prompts');
    return { density, fingerprint: embedder.fingerprint, truncated };
  }
  await using rows = await embedder.embedRows(prompts, { batchSize, ...work });
  const { fingerprint, truncated, distanceError } = rows;
  warnOfTruncation(truncated.length, prompts.length, work);
  const bytes = bytesOf(rows);
  if (!estimator.fitRows && bytes > maxBytesInMemory) {
    throw new InvalidArgumentError(
      `${rows.rows} rows of ${rows.cols} numbers take ${(bytes / 1e9).toFixed(1)} GB, and ${estimator.fingerprint} needs them in memory; choose an estimator with fitRows, such as knnDistance()`,
    );
  }
  const density = checkLength(await fitSource(estimator, rows, 0, work), prompts.length, 'prompts');
  return { density, fingerprint, truncated, ...(distanceError && { distanceError }) };
}

async function embedInMemory<Item>(
  embedder: Embedder<Item>,
  prompts: readonly Item[],
  work: CallOptions & { readonly batchSize: number },
) {
  const truncated: number[] = [];
  async function* parts() {
    for await (const part of embedStream(embedder, prompts, { total: prompts.length, ...work })) {
      truncated.push(...part.truncated);
      yield part;
    }
  }
  return { points: await collect(parts()), truncated };
}

async function rowDensity(
  given: Matrix | RowSource,
  estimator: DensityEstimator,
  { memoryBytes = 2 ** 28, signal, onEvent }: WeighOptions,
): Promise<Float64Array> {
  if (given.rows === 0) throw new InvalidArgumentError('there are no rows to weigh; give at least two');
  const work = { signal, onEvent };
  const density = 'data' in given ? estimator.fit(given, work) : fitSource(estimator, given, memoryBytes, work);
  return checkLength(await density, given.rows, 'rows');
}

async function fitSource(
  estimator: DensityEstimator,
  rows: RowSource,
  memoryBytes: number,
  work: CallOptions,
): Promise<Float64Array> {
  if (estimator.fitRows && bytesOf(rows) > memoryBytes) return estimator.fitRows(rows, work);
  return estimator.fit(await rows.read(0, rows.rows, work), work);
}

function bytesOf({ rows, cols }: RowSource): number {
  return 4 * rows * cols;
}

/** @throws InvalidArgumentError if the result of a weighting is not a Float64Array. */
function checkType(weights: Float64Array): Float64Array {
  const type = Object.prototype.toString.call(weights).slice(8, -1); // instanceof fails for arrays of another realm
  if (type === 'Float64Array') return weights;
  throw new InvalidArgumentError(
    `a weighting must return a Float64Array with one weight per row, got ${type}; call what makes a weighting, such as inverseDensity()`,
  );
}

function warnOfTruncation(truncated: number, prompts: number, { onEvent }: CallOptions): void {
  if (truncated === 0) return;
  const message = `${truncated} of ${prompts} prompts are longer than the model reads and were truncated`;
  warn(onEvent, { task: 'embed', code: 'truncated', message });
}

function checkLength(density: Float64Array, count: number, noun: 'prompts' | 'rows'): Float64Array {
  if (density.length === count) return density;
  throw new ShapeError(`the density estimator returned ${density.length} values for ${count} ${noun}`);
}
