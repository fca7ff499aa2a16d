import { type DensityEstimator, type Matrix, NotFittedError, selfJoin } from '@rarefy/core';
import { naiveIndex } from '../src/reference/naive-index.js';

/**
 * Density = 1 / local outlier factor: the reachability density of a row, divided by the mean of those of its k nearest rows.
 * About 1 inside any cluster, lower for a row that is apart from its neighbors.
 * Source: Breunig et al., "LOF: identifying density-based local outliers", SIGMOD 2000.
 */
export function localOutlierFactor({
  k,
  relative = true,
}: {
  readonly k: number;
  readonly relative?: boolean;
}): DensityEstimator {
  let fitted: { readonly points: Matrix; readonly radii: Float64Array; readonly reach: Float64Array } | undefined;

  /** 1 / (mean reachability distance): a neighbor is never nearer than its own k-th neighbor. */
  const reachability = (ids: Int32Array, distances: Float32Array, radii: Float64Array) =>
    Float64Array.from({ length: ids.length / k }, (_, row) => {
      let sum = 0;
      for (let slot = row * k; slot < (row + 1) * k; slot++) sum += Math.max(distances[slot]!, radii[ids[slot]!]!);
      return 1 / (sum / k + 1e-6);
    });
  const compared = (own: Float64Array, ids: Int32Array, reach: Float64Array) =>
    own.map((value, row) => {
      let sum = 0;
      for (let slot = row * k; slot < (row + 1) * k; slot++) sum += reach[ids[slot]!]!;
      return value / (sum / k);
    });

  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `local-outlier-factor:k=${k}`,
    capabilities: { outOfSample: true, online: false, relative },
    async fit(points, options = {}) {
      fitted = undefined;
      const { ids, distances } = await selfJoin(naiveIndex(), points, { ...options, k });
      const radii = Float64Array.from({ length: points.rows }, (_, row) => distances[row * k + k - 1]!);
      const reach = reachability(ids, distances, radii);
      fitted = { points: { ...points, data: points.data.slice() }, radii, reach };
      return compared(reach, ids, reach);
    },
    async score(queries, options = {}) {
      if (!fitted) throw new NotFittedError('the estimator is not fitted; call fit first');
      const { points, radii, reach } = fitted;
      const index = naiveIndex();
      await index.add(points, options);
      const { ids, distances } = await index.search(queries, { ...options, k });
      return compared(reachability(ids, distances, radii), ids, reach);
    },
  };
}
