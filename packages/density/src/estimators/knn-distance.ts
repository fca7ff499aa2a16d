import { type DensityEstimator, InvalidArgumentError, type NeighborIndex } from '@rarefy/core';
import { autoIndex } from '@rarefy/neighbors/auto';
import { neighborDensity } from './neighbor-density.js';

export interface KnnDistanceOptions {
  /** Neighbours a row; default 10. */
  readonly k?: number;
  /** Keeps the density of duplicates finite: none is above 1 / epsilon. Default 1e-6. */
  readonly epsilon?: number;
  /** Makes an empty index by euclidean or cosine distance; default `autoIndex()`: exact up to 50,000 different rows. */
  readonly index?: () => NeighborIndex;
}

/**
 * Density = 1 / (mean distance to the k nearest other rows + epsilon), in distance units to the power -1. `score` takes new
 * points: it leaves no row out.
 *
 * `fit` throws InvalidArgumentError when there are not more than k rows.
 * @throws InvalidArgumentError for options out of range or an index by inner product.
 */
export function knnDistance({ k = 10, epsilon = 1e-6, index = autoIndex }: KnnDistanceOptions = {}): DensityEstimator {
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
