import { type DensityEstimator, InvalidArgumentError } from '@rarefy/core';
import type { EstimatorName, EstimatorValues } from './estimator-options.js';
import { type NeighborEngine, neighborEngine } from './neighbor-engine.js';

export interface OpenEstimator {
  readonly name: EstimatorName;
  readonly estimator: DensityEstimator;
  /** Where it looks for neighbours. */
  readonly engine: NeighborEngine | undefined;
  /** What keeps the weight of a density of 0 finite: default of `--eps`. */
  readonly epsilon: number;
}

/** The estimator that the options name, for one fit. */
export async function openEstimator(values: EstimatorValues): Promise<OpenEstimator> {
  const { estimator: name, k, neighbors, rowsAs, seed, clusters, raceRows, hashes } = values;
  const { clusterDensity, knnDistance, knnSimilarity, raceDensity } = await import('@rarefy/density');
  if (name === 'knn-distance' || name === 'knn-similarity') {
    const engine = await neighborEngine(neighbors, name === 'knn-distance' ? 'euclidean' : 'dot', rowsAs);
    const options = { ...(k !== undefined && { k }), index: () => engine.index };
    return name === 'knn-distance'
      ? { name, estimator: knnDistance(options), engine, epsilon: 0 }
      : { name, estimator: knnSimilarity(options), engine, epsilon: 1e-3 };
  }
  if (name === 'kernel') return { name, ...(await openKernel(values)), epsilon: 1e-3 };
  const estimator =
    name === 'race'
      ? raceDensity({ rows: raceRows, hashes, seed })
      : clusterDensity({ ...(clusters !== undefined && { clusters }), seed });
  return { name, estimator, engine: undefined, epsilon: 1e-3 };
}

async function openKernel({ kernel, bandwidth, hashes, samples, k, seed, neighbors, rowsAs }: EstimatorValues) {
  const { kernelDensity } = await import('@rarefy/density');
  if (kernel === 'angular' && bandwidth !== undefined) {
    throw new InvalidArgumentError('--kernel angular has no --bandwidth; give its power as --hashes.');
  }
  const shape =
    kernel === 'angular' ? { kernel, power: hashes } : { kernel, ...(bandwidth !== undefined && { bandwidth }) };
  if (samples === undefined) return { estimator: kernelDensity(shape), engine: undefined };
  const engine = await neighborEngine(neighbors, kernel === 'angular' ? 'cosine' : 'euclidean', rowsAs);
  const near = { ...(k !== undefined && { k }), samples, seed, index: () => engine.index };
  return { estimator: kernelDensity({ ...shape, method: 'near-and-random', ...near }), engine };
}
