import {
  type CallOptions,
  collect,
  type DensityEstimator,
  type DistanceError,
  type Embedder,
  type EmbedOptions,
  embedStream,
  InvalidArgumentError,
  type RowSource,
  ShapeError,
} from '@rarefy/core';

/** Rows of at most this many bytes are read into memory for an estimator that takes none in blocks. */
const mostBytes = 2 ** 30;

export interface DensityOfOptions<Item> extends CallOptions {
  readonly embedder: Embedder<Item>;
  readonly estimator: DensityEstimator;
  /** Items embedded at a time; default 32. */
  readonly batchSize?: number;
  /** Rows of more bytes go to disk, if the embedder has `embedRows`; default 2^28. */
  readonly memoryBytes?: number;
}

export interface EmbeddedDensity {
  /** One an item; larger is more crowded. */
  readonly density: Float64Array;
  /** Of the rows that were measured: the embedder's, or another when they only stand for its rows. */
  readonly fingerprint: string;
  /** Positions of items whose text was cut. */
  readonly truncated: readonly number[];
  /** How far distances of those rows are from the embedder's, when they are. */
  readonly distanceError?: DistanceError;
}

/**
 * Density of every item among all items. When all rows take more than `memoryBytes`, an embedder that can (`embedRows`) keeps them
 * on disk, and the estimator reads them in blocks: the same density, to the bit.
 * @throws InvalidArgumentError when the rows are too many for an estimator that takes none in blocks; ShapeError when the estimator
 * breaks its contract; what embedder and estimator throw.
 */
export async function densityOf<Item>(
  items: readonly Item[],
  { embedder, estimator, memoryBytes = 2 ** 28, ...work }: DensityOfOptions<Item>,
): Promise<EmbeddedDensity> {
  if (!embedder.embedRows || 4 * items.length * embedder.capabilities.dimensions <= memoryBytes) {
    const { points, truncated } = await embedded(embedder, items, work);
    const density = checked(await estimator.fit(points, work), items.length);
    return { density, fingerprint: embedder.fingerprint, truncated };
  }
  await using rows = await embedder.embedRows(items, work);
  const { fingerprint, truncated, distanceError } = rows;
  const density = checked(await fitRows(estimator, rows, work), items.length);
  return { density, fingerprint, truncated, ...(distanceError && { distanceError }) };
}

async function embedded<Item>(embedder: Embedder<Item>, items: readonly Item[], options: EmbedOptions) {
  const truncated: number[] = [];
  async function* parts() {
    for await (const part of embedStream(embedder, items, { total: items.length, ...options })) {
      truncated.push(...part.truncated);
      yield part;
    }
  }
  const { dimensions } = embedder.capabilities;
  const none = { data: new Float32Array(0), rows: 0, cols: dimensions };
  return { points: items.length === 0 ? none : await collect(parts()), truncated };
}

async function fitRows(estimator: DensityEstimator, rows: RowSource, options: CallOptions): Promise<Float64Array> {
  if (estimator.fitRows) return estimator.fitRows(rows, options);
  const bytes = 4 * rows.rows * rows.cols;
  if (bytes > mostBytes) {
    throw new InvalidArgumentError(
      `${rows.rows} rows of ${rows.cols} numbers take ${(bytes / 1e9).toFixed(1)} GB, and ${estimator.fingerprint} needs them in memory; choose an estimator with fitRows, such as knnDistance()`,
    );
  }
  return estimator.fit(await rows.read(0, rows.rows, options), options);
}

function checked(density: Float64Array, items: number): Float64Array {
  if (density.length === items) return density;
  throw new ShapeError(`the density estimator gave ${density.length} values for ${items} prompts`);
}
