import type { CallOptions, Component } from './component.js';
import type { Matrix, RowSource } from './matrix.js';

export interface DensityCapabilities {
  /** Whether the estimator has `score`. */
  readonly outOfSample: boolean;
  /** Whether the estimator has `update`. */
  readonly online: boolean;
}

/** Measures how crowded the neighborhood of each point is. Larger is denser; densities are always finite. */
export interface DensityEstimator extends Component<'density-estimator', DensityCapabilities> {
  /** Leave-one-out density of every row among all rows, in order: [rows]. Replaces an earlier fit. */
  fit(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** As `fit`, for rows that do not fit in memory and are read in blocks. `score` is not available afterwards. */
  fitRows?(points: RowSource, options?: CallOptions): Promise<Float64Array>;
  /** Density of new points under the fit: [rows]. */
  score?(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** Adds rows to the fit, for streams. */
  update?(points: Matrix, options?: CallOptions): Promise<void>;
}

/**
 * Maps one number per row to one weight ≥ 0 per row. A pure function. The first weighting of a chain takes densities, each later
 * one takes the weights of the one before.
 */
export type Weighting = (values: Float64Array) => Float64Array;
