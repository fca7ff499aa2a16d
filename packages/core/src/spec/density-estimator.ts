import type { Component } from './component.js';
import type { CallOptions } from './events.js';
import type { Matrix } from './matrix.js';
import type { RowSource } from './row-source.js';

export interface DensityCapabilities {
  /** Whether `score` exists. */
  readonly outOfSample: boolean;
  /** Whether `update` exists. */
  readonly online: boolean;
}

/** Measures how crowded each point's neighbourhood is: larger is denser, always finite. */
export interface DensityEstimator extends Component<'density-estimator', DensityCapabilities> {
  /** Leave-one-out density of every row among all rows, in order. Forgets an earlier fit. */
  fit(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** The same of rows that do not fit in memory, read in blocks. There is no `score` after it. */
  fitRows?(points: RowSource, options?: CallOptions): Promise<Float64Array>;
  /** Density of new points under the fit. */
  score?(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** Adds rows to the fit, for streams. */
  update?(points: Matrix, options?: CallOptions): Promise<void>;
}
