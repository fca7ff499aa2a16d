import { type DensityEstimator, type NeighborIndex, NotFittedError, selfJoin } from '@rarefy/core';
import { naiveIndex } from './naive-index.js';

/** Density = 1 / (mean Euclidean distance to the k nearest other rows + 1e-6), by {@link naiveIndex}. */
export function naiveDensity({ k }: { readonly k: number }): DensityEstimator {
  const density = (distances: Float32Array) =>
    Float64Array.from({ length: distances.length / k }, (_, row) => {
      const sum = distances.subarray(row * k, (row + 1) * k).reduce((total, distance) => total + distance, 0);
      return 1 / (sum / k + 1e-6);
    });
  let fitted: NeighborIndex | undefined;
  const fittedIndex = () => {
    if (!fitted) throw new NotFittedError('the estimator is not fitted; call fit first');
    return fitted;
  };
  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `naive-density:k=${k}`,
    capabilities: { outOfSample: true, online: true },
    async fit(points, options = {}) {
      fitted = undefined;
      const index = naiveIndex();
      const { distances } = await selfJoin(index, points, { ...options, k });
      fitted = index;
      return density(distances);
    },
    async fitRows(points, options = {}) {
      fitted = undefined;
      const { distances } = await selfJoin(naiveIndex(), await points.read(0, points.rows, options), { ...options, k });
      return density(distances);
    },
    score: async (points, options = {}) => density((await fittedIndex().search(points, { ...options, k })).distances),
    update: async (points, options = {}) => fittedIndex().add(points, options),
  };
}
