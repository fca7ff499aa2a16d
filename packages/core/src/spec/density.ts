import type { CallOptions, Component } from './component.js';
import type { Matrix, RowSource } from './matrix.js';

export interface DensityCapabilities {
  /** Whether the estimator has `score`. */
  readonly outOfSample: boolean;
  /** Whether the estimator has `update`. */
  readonly online: boolean;
  /**
   * Whether a density compares a row with its own neighborhood, as the local outlier factor does, rather than with all rows;
   * default false. Inside any cluster, tight or loose, relative densities are about equal; a row apart from its nearest cluster has
   * a lower one.
   */
  readonly relative?: boolean;
}

/** Measures how crowded the neighborhood of each point is. Larger is denser; densities are always finite. */
export interface DensityEstimator extends Component<'density-estimator', DensityCapabilities> {
  /**
   * Leave-one-out density of every row among all rows, in order: [rows]. Forgets an earlier fit, even if it fails: `score` then
   * throws NotFittedError until a fit succeeds.
   */
  fit(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** As `fit`, for rows that do not fit in memory and are read in blocks. `score` is not available afterwards. */
  fitRows?(points: RowSource, options?: CallOptions): Promise<Float64Array>;
  /** Density of new points under the fit: [rows]. */
  score?(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** Adds rows to the fit, for streams. */
  update?(points: Matrix, options?: CallOptions): Promise<void>;
}

/**
 * Turns densities into weights: one finite number ≥ 0 per row, of any scale. Pure. Any function from densities to weights is a
 * weighting; a {@link WeightTransform} is not, because it would take densities for weights and so favor crowded rows.
 */
export interface Weighting {
  (density: Float64Array): Float64Array;
  readonly kind?: 'weighting';
}

/** Turns weights into weights, one per row, after a {@link Weighting} has made them. Pure. */
export interface WeightTransform {
  (weights: Float64Array): Float64Array;
  readonly kind: 'weight-transform';
}
