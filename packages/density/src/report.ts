import { ShapeError } from '@rarefy/core';
import { rarestPositions } from './numeric/lowest-positions.js';
import { checkWeights, effectiveSampleSize, maximum } from './weighting/weights.js';

/** What weights do to the draws. */
export interface DensityReport {
  readonly rows: number;
  /** Effective sample size of the weights: (Σw)² / Σw², between 1 and rows. */
  readonly ess: number;
  /** ESS / rows; 1 is uniform. */
  readonly essOverN: number;
  /** Largest weight over the smallest; Infinity if one is 0. */
  readonly maxOverMin: number;
  /** Expected share of draws of the rarest 1 % of rows (lowest density, rounded up, ties by position); uniform draws give 1 %. */
  readonly rarest1Share: number;
  /** The same for the rarest 10 %. */
  readonly rarest10Share: number;
  /**
   * Sentences for the user: the weights change almost nothing (ESS/N > 0.98), almost all draws go to a few rows (ESS/N < 0.05), or
   * rare rows are drawn less often than by uniform draws.
   */
  readonly warnings: readonly string[];
}

/**
 * @param density one value per row
 * @param weights one value per row
 * @throws ShapeError if their lengths differ; InvalidWeightsError or NotFiniteError naming the first invalid value.
 */
export function densityReport(density: Float64Array, weights: Float64Array): DensityReport {
  const rows = weights.length;
  if (density.length !== rows) {
    throw new ShapeError(`got ${density.length} densities and ${rows} weights; give one of each per row`);
  }
  checkWeights(weights);
  const largest = maximum(weights);
  const smallest = weights.reduce((least, weight) => Math.min(least, weight), Number.POSITIVE_INFINITY);
  const shares = weights.map((weight) => weight / largest);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const shareOf = (positions: Int32Array) => positions.reduce((sum, row) => sum + shares[row]!, 0) / total;
  const rarestTenth = rarestPositions(density, 0.1);
  const rarest10Share = shareOf(rarestTenth);
  const ess = effectiveSampleSize(weights);
  const essOverN = ess / rows;
  return {
    rows,
    ess,
    essOverN,
    maxOverMin: largest / smallest,
    rarest1Share: shareOf(rarestPositions(density, 0.01)),
    rarest10Share,
    warnings: warnings(essOverN, rarest10Share, rarestTenth.length / rows),
  };
}

/** @param uniformShare of the rarest tenth: a tenth, or more if the number of rows is not a multiple of 10 */
function warnings(essOverN: number, rarest10Share: number, uniformShare: number): string[] {
  const found: string[] = [];
  const measured = `ESS/N is ${essOverN.toPrecision(3)}`;
  if (essOverN > 0.98) {
    found.push(`${measured}: draws are nearly uniform; raise the exponent or add a target ESS, such as 0.5`);
  }
  if (essOverN < 0.05) {
    found.push(
      `${measured}: a few rows take nearly all draws; lower the exponent, mix in uniform draws or cap the weights`,
    );
  }
  if (rarest10Share < uniformShare * (1 - 1e-9)) {
    const percent = (share: number) => `${(100 * share).toPrecision(3)} %`;
    found.push(
      `the rarest tenth of the rows get ${percent(rarest10Share)} of the draws, less than the ${percent(uniformShare)} of uniform draws: these weights favor crowded rows; use inverse density with an exponent above 0`,
    );
  }
  return found;
}
