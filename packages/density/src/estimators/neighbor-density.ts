import {
  type CallOptions,
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

/** Numbers a block: 64 MiB. */
const blockNumbers = 2 ** 24;

/** What tells one density over k neighbours from another. */
export interface NeighborDensity {
  /** Name and options, for the fingerprint. */
  readonly name: string;
  readonly k: number;
  /** Makes an empty index. */
  readonly index: () => NeighborIndex;
  /** Metrics that the density is meant for. */
  readonly metrics: readonly Metric[];
  /** Density of a row whose k nearest others lie at this distance on average. */
  readonly density: (meanDistance: number) => number;
}

/** A density that depends on the mean distance to the k nearest other rows alone. */
export function neighborDensity({ name, k, index, metrics, density }: NeighborDensity): DensityEstimator {
  if (!(Number.isInteger(k) && k >= 1)) throw new InvalidArgumentError(`k must be an integer ≥ 1, got ${k}`);
  const { metric, fingerprint } = index();
  if (!metrics.includes(metric)) {
    throw new InvalidArgumentError(`${name} needs an index by ${metrics.join(' or ')}, and this one is by ${metric}`);
  }
  let fitted: NeighborIndex | undefined;

  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `${name}:${fingerprint}`,
    capabilities: { outOfSample: true, online: false },
    async fit(points, options = {}) {
      const earlier = fitted;
      fitted = undefined;
      await earlier?.[Symbol.asyncDispose]();
      const current = index();
      const values = densities(await selfJoin(current, points, { ...options, k }), density);
      fitted = current;
      return values;
    },
    async fitRows(points, options = {}) {
      const earlier = fitted;
      fitted = undefined;
      await earlier?.[Symbol.asyncDispose]();
      if (k > points.rows - 1) {
        throw new InvalidArgumentError(
          `k = ${k} neighbours need at least ${k + 1} rows and there are ${points.rows}; choose a smaller k`,
        );
      }
      await using current = index();
      const neighbors = current.joinRows
        ? await current.joinRows(points, { ...options, k })
        : await blockwiseJoin(current, points, { ...options, k });
      return densities(neighbors, density);
    },
    async score(points, options = {}) {
      if (fitted === undefined) throw new NotFittedError('score needs a fit: call fit(points) first');
      return densities(await fitted.search(points, { ...options, k }), density);
    },
  };
}

/** The self-join of an index that takes rows by `add` alone, block by block: it holds them in a form of its own. */
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

/** One density a row; the mean is summed in float64. */
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
