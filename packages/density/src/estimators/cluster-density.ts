import {
  type CallOptions,
  checkInteger,
  checkOptions,
  checkSeed,
  checkShape,
  type DensityEstimator,
  InvalidArgumentError,
  type Matrix,
  NotFittedError,
  timeSlices,
  withProgress,
} from '@rarefy/core';
import { checkPoints } from '../numeric/check-points.js';
import { nearestCenters, type SphericalClusters, sphericalKMeans } from './clusters/spherical-k-means.js';

export interface ClusterDensityOptions {
  /** Number of clusters. Default: the square root of the number of rows, rounded. */
  readonly clusters?: number;
  /** Any safe integer. Default 0. */
  readonly seed?: number;
}

const optionNames = ['clusters', 'seed'] satisfies (keyof ClusterDensityOptions)[];

export interface ClusterDensity extends DensityEstimator {
  score(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** The clusters of the last fit; undefined before it. */
  readonly clusters: SphericalClusters | undefined;
}

/**
 * Density = share of the other rows that are in the same cluster of spherical k-means: (count - 1) / (rows - 1), in [0, 1]. `score`
 * assigns a point to the cluster whose center has the largest cosine and leaves no row out: count / rows. A coarse estimate that is
 * fast for many rows. It may be 0, so give `inverseDensity` an epsilon. Deterministic; leaving a row out does not move the centers.
 *
 * `fit` throws InvalidArgumentError if there are fewer than two rows.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function clusterDensity(options: ClusterDensityOptions = {}): ClusterDensity {
  checkOptions(options, optionNames, 'clusterDensity');
  const { clusters, seed = 0 } = options;
  if (clusters !== undefined) checkInteger('clusters', clusters, 1);
  checkSeed(seed);
  let fitted: SphericalClusters | undefined;

  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint: `cluster-density:clusters=${clusters ?? 'root'},seed=${seed}`,
    capabilities: { outOfSample: true, online: false },
    get clusters() {
      return fitted;
    },
    async fit(points, call = {}) {
      fitted = undefined;
      checkShape(points, 'points');
      const { rows } = points;
      if (rows < 2) throw new InvalidArgumentError(`a density needs at least 2 rows, got ${rows}`);
      const count = clusters ?? Math.round(Math.sqrt(rows));
      const { signal, onEvent } = call;
      fitted = await sphericalKMeans(points, { clusters: count, seed, signal, onEvent });
      const { clusterOf, counts } = fitted;
      return Float64Array.from(clusterOf, (cluster) => (counts[cluster]! - 1) / (rows - 1));
    },
    async score(points, call = {}) {
      if (fitted === undefined) throw new NotFittedError('score needs a fit: call fit(points) first');
      const { centers, clusterOf, counts } = fitted;
      await checkPoints(points, timeSlices(call.signal), centers.cols);
      const nearest = await withProgress('nearest-centers', points.rows, call, (tick) =>
        nearestCenters(centers, points, tick),
      );
      return Float64Array.from(nearest, (cluster) => counts[cluster]! / clusterOf.length);
    },
  };
}
