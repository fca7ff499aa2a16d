import type { DensityEstimator, NeighborIndex } from '@rarefy/core';
import { autoIndex } from '@rarefy/neighbors/auto';
import { neighborDensity } from './neighbor-density.js';

export interface KnnSimilarityOptions {
  /** Neighbours a row; default 20. */
  readonly k?: number;
  /** Makes an empty index by inner product (`dot`); default `autoIndex({ metric: 'dot' })`: exact up to 50,000
   * different rows. */
  readonly index?: () => NeighborIndex;
}

/**
 * Density = max(0, mean inner product with the k other rows whose inner product is largest); at most 1 for vectors of length 1.
 * It may be 0: give `inverseDensity` an epsilon. `score` takes new points: it leaves no row out.
 *
 * `fit` throws InvalidArgumentError when there are not more than k rows.
 * @throws InvalidArgumentError for options out of range or an index by another metric.
 */
export function knnSimilarity({
  k = 20,
  index = () => autoIndex({ metric: 'dot' }),
}: KnnSimilarityOptions = {}): DensityEstimator {
  return neighborDensity({
    name: `knn-similarity:k=${k}`,
    k,
    index,
    metrics: ['dot'],
    density: (meanDistance) => Math.max(0, -meanDistance),
  });
}
