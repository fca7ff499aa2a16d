import {
  type CallOptions,
  checkInteger,
  checkOptions,
  type DensityEstimator,
  InvalidArgumentError,
  type Metric,
  type NeighborIndex,
  type Neighbors,
  NotFiniteError,
  NotFittedError,
  type RowSource,
  selfJoin,
} from '@rarefy/core';
import { autoIndex } from '@rarefy/neighbors/auto';
import { emptyIndex } from '../numeric/empty-index.js';

export interface KnnDistanceOptions {
  /** Neighbors per row. Default 10. */
  readonly k?: number;
  /** Keeps the density of duplicates finite: no density is above 1 / epsilon. Default 1e-6. */
  readonly epsilon?: number;
  /** Makes an empty index with Euclidean or cosine distance. Default `autoIndex()`: exact up to 50,000 distinct rows. */
  readonly index?: () => NeighborIndex;
}

/**
 * Density = 1 / (mean distance to the k nearest other rows + epsilon), in units of 1 / distance. `score` takes new points, so it
 * leaves no row out.
 *
 * `fit` throws InvalidArgumentError if there are not more than k rows.
 * @throws InvalidArgumentError if an option is unknown or out of range, or the index uses inner products.
 */
export function knnDistance(options: KnnDistanceOptions = {}): DensityEstimator {
  checkOptions(options, ['k', 'epsilon', 'index'] satisfies (keyof KnnDistanceOptions)[], 'knnDistance');
  const { k = 10, epsilon = 1e-6, index = autoIndex } = options;
  if (!(epsilon > 0 && epsilon < Infinity && 1 / epsilon < Infinity)) {
    throw new InvalidArgumentError(`epsilon and 1 / epsilon must be finite and above 0, got ${epsilon}`);
  }
  return neighborDensity({
    name: `knn-distance:k=${k},epsilon=${epsilon}`,
    k,
    index,
    metrics: ['euclidean', 'cosine'],
    density: (meanDistance) => 1 / (meanDistance + epsilon),
  });
}

export interface KnnSimilarityOptions {
  /** Neighbors per row. Default 20. */
  readonly k?: number;
  /** Makes an empty index with inner products (`dot`). Default `autoIndex({ metric: 'dot' })`: exact up to 50,000 distinct rows. */
  readonly index?: () => NeighborIndex;
}

/**
 * Density = max(0, mean of the k largest inner products with other rows); at most 1 for vectors of length 1. It may be 0, so give
 * `inverseDensity` an epsilon. `score` takes new points, so it leaves no row out.
 *
 * `fit` throws InvalidArgumentError if there are not more than k rows.
 * @throws InvalidArgumentError if an option is unknown or out of range, or the index uses another metric.
 */
export function knnSimilarity(options: KnnSimilarityOptions = {}): DensityEstimator {
  checkOptions(options, ['k', 'index'] satisfies (keyof KnnSimilarityOptions)[], 'knnSimilarity');
  const { k = 20, index = () => autoIndex({ metric: 'dot' }) } = options;
  return neighborDensity({
    name: `knn-similarity:k=${k}`,
    k,
    index,
    metrics: ['dot'],
    density: (meanDistance) => Math.max(0, -meanDistance), // the distance by inner product is its negative
  });
}

interface NeighborDensity {
  /** Name and options, for the fingerprint. */
  readonly name: string;
  readonly k: number;
  /** Makes an empty index. */
  readonly index: () => NeighborIndex;
  /** Metrics that the density is defined for. */
  readonly metrics: readonly Metric[];
  /** Density of a row from the mean distance to its k nearest other rows. */
  readonly density: (meanDistance: number) => number;
}

/** A density that is a function of the mean distance to the k nearest other rows. */
function neighborDensity({ name, k, index, metrics, density }: NeighborDensity): DensityEstimator {
  checkInteger('k', k, 1);
  const { metric, fingerprint } = emptyIndex(index);
  if (!metrics.includes(metric)) {
    throw new InvalidArgumentError(`${name} needs an index with metric ${metrics.join(' or ')}, got ${metric}`);
  }
  let fitted: NeighborIndex | undefined;
  const forget = async () => {
    const earlier = fitted;
    fitted = undefined;
    await earlier?.[Symbol.asyncDispose]();
  };

  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `${name}:${fingerprint}`,
    capabilities: { outOfSample: true, online: false },
    async fit(points, { signal, onEvent } = {}) {
      await forget();
      const current = index();
      const values = densities(await selfJoin(current, points, { k, signal, onEvent }), density);
      fitted = current;
      return values;
    },
    async fitRows(points, { signal, onEvent } = {}) {
      await forget();
      if (k > points.rows - 1) {
        throw new InvalidArgumentError(
          `k = ${k} neighbors need at least ${k + 1} rows, got ${points.rows}; choose a smaller k`,
        );
      }
      await using current = index();
      const neighbors = current.joinRows
        ? await current.joinRows(points, { k, signal, onEvent })
        : await blockwiseJoin(current, points, { k, signal, onEvent });
      return densities(neighbors, density);
    },
    async score(points, { signal, onEvent } = {}) {
      if (fitted === undefined) throw new NotFittedError('score needs a fit: call fit(points) first');
      return densities(await fitted.search(points, { k, signal, onEvent }), density);
    },
  };
}

/** Numbers per block: 64 MiB. */
const blockNumbers = 2 ** 24;

/** The self-join of an index without `joinRows`: it gets the rows by `add`, block by block, and keeps them in its own form. */
async function blockwiseJoin(
  index: NeighborIndex,
  points: RowSource,
  options: CallOptions & { readonly k: number },
): Promise<Neighbors> {
  const step = Math.max(1, Math.floor(blockNumbers / points.cols));
  const blocks = async function* () {
    for (let start = 0; start < points.rows; start += step) {
      const block = await points.read(start, Math.min(start + step, points.rows), options);
      yield { block, start };
    }
  };
  for await (const { block } of blocks()) await index.add(block, options);
  if (index.selfJoin) return index.selfJoin(options);
  const { k } = options;
  const ids = new Int32Array(points.rows * k);
  const distances = new Float32Array(points.rows * k);
  for await (const { block, start } of blocks()) {
    const exclude = Int32Array.from({ length: block.rows }, (_, row) => start + row);
    const found = await index.search(block, { ...options, exclude });
    ids.set(found.ids, start * k);
    distances.set(found.distances, start * k);
  }
  return { rows: points.rows, k, ids, distances };
}

/** One density per row; the mean is summed in float64. */
function densities({ rows, k, distances }: Neighbors, density: (meanDistance: number) => number): Float64Array {
  const values = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let at = row * k; at < (row + 1) * k; at++) sum += distances[at]!;
    const value = density(sum / k);
    if (!Number.isFinite(value)) {
      throw new NotFiniteError(
        `the density of row ${row} is ${value}: its distances do not fit in float32; scale the vectors down`,
      );
    }
    values[row] = value;
  }
  return values;
}
