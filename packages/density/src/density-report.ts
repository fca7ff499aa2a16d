import { ShapeError } from '@rarefy/core';
import { rarestPositions } from './rarest-positions.js';
import { checkWeights } from './weighting/check-values.js';
import { effectiveSampleSize } from './weighting/effective-sample-size.js';
import { maximum } from './weighting/weights-from-logarithms.js';

/** What a weighting does to the draws. */
export interface DensityReport {
  readonly rows: number;
  /** Effective sample size of the weights: (Σw)² / Σw², between 1 and rows. */
  readonly ess: number;
  /** 1 is uniform. */
  readonly essOverN: number;
  /** Largest weight over the smallest; Infinity when one is 0. */
  readonly maxOverMin: number;
  /** Expected share of draws of the rarest 1 % of rows (lowest density, rounded up, ties by position); uniform gives 1 %. */
  readonly rarest1Share: number;
  /** The same for the rarest 10 %. */
  readonly rarest10Share: number;
  /** Sentences for the user: the weights change nearly nothing (ESS/N > 0.98), or nearly only a few rows are drawn (< 0.05). */
  readonly warnings: readonly string[];
}

/**
 * @param density one a row
 * @param weights one a row
 * @throws ShapeError when their lengths differ; InvalidWeightsError or NotFiniteError naming the first bad value.
 */
export function densityReport(density: Float64Array, weights: Float64Array): DensityReport {
  const rows = weights.length;
  if (density.length !== rows)
    throw new ShapeError(`${density.length} densities and ${rows} weights; give one of each a row`);
  checkWeights(weights);
  const largest = maximum(weights);
  const smallest = weights.reduce((least, weight) => Math.min(least, weight), Number.POSITIVE_INFINITY);
  const shares = weights.map((weight) => weight / largest);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const drawn = (share: number) => rarestPositions(density, share).reduce((sum, row) => sum + shares[row]!, 0) / total;
  const ess = effectiveSampleSize(weights);
  const essOverN = ess / rows;
  return {
    rows,
    ess,
    essOverN,
    maxOverMin: largest / smallest,
    rarest1Share: drawn(0.01),
    rarest10Share: drawn(0.1),
    warnings: warnings(essOverN),
  };
}

function warnings(essOverN: number): string[] {
  const seen = `ESS/N is ${essOverN.toPrecision(3)}`;
  if (essOverN > 0.98) {
    return [`${seen}: draws are nearly uniform; raise the exponent or set a target ESS, such as 0.5`];
  }
  if (essOverN < 0.05) {
    return [`${seen}: a few rows take nearly all draws; lower the exponent, mix in uniform draws or cap the weights`];
  }
  return [];
}
