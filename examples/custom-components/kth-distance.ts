import { type DensityEstimator, type NeighborIndex, NotFittedError, selfJoin } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors';

export interface KthDistanceOptions {
  /** Number of the neighbor; default 10. */
  readonly k?: number;
  /** Makes an empty index; default exact Euclidean neighbors. */
  readonly index?: () => NeighborIndex;
}

/** Density = 1 / (distance to the k-th nearest other row + 1e-6). */
export function kthDistance({ k = 10, index = exactIndex }: KthDistanceOptions = {}): DensityEstimator {
  let fitted: NeighborIndex | undefined;
  const density = (distances: Float32Array) =>
    Float64Array.from({ length: distances.length / k }, (_, row) => 1 / (distances[row * k + k - 1]! + 1e-6));
  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `kth-distance:k=${k},index=${index().fingerprint}`,
    capabilities: { outOfSample: true, online: false },
    async fit(points, options = {}) {
      fitted = undefined; // a fit that fails leaves nothing of the earlier one
      const rows = index();
      const { distances } = await selfJoin(rows, points, { ...options, k }); // each row without itself
      fitted = rows;
      return density(distances);
    },
    async score(points, options = {}) {
      if (fitted === undefined) throw new NotFittedError('call fit before score');
      return density((await fitted.search(points, { ...options, k })).distances);
    },
  };
}
