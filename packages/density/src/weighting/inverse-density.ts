import { InvalidArgumentError, InvalidWeightsError, type Weighting } from '@rarefy/core';
import { checkDensity } from './check-values.js';
import { weightsFromLogarithms } from './weights-from-logarithms.js';

export interface InverseDensityOptions {
  /** Larger favours rare rows more; 0 is uniform, below 0 favours crowded rows. Default 1. */
  readonly exponent?: number;
  /** Added to every density: bounds the weight of a row of density 0. Default 0. */
  readonly epsilon?: number;
}

/**
 * Weight = (1 / (density + epsilon)) ^ exponent. The values are plain when the largest is within 2^±500; beyond that all are
 * divided by the largest, so that any exponent gives finite weights in the same ratios. One too small for float64 beside it is 0.
 *
 * The weighting throws InvalidWeightsError for a density of 0 with epsilon 0 and exponent > 0, whose weight has no bound.
 * @throws InvalidArgumentError for options out of range.
 */
export function inverseDensity({ exponent = 1, epsilon = 0 }: InverseDensityOptions = {}): Weighting {
  if (!Number.isFinite(exponent)) throw new InvalidArgumentError(`exponent must be finite, got ${exponent}`);
  if (!(epsilon >= 0 && epsilon < Infinity)) {
    throw new InvalidArgumentError(`epsilon must be finite and ≥ 0, got ${epsilon}`);
  }
  return (density) => {
    checkDensity(density);
    const unbounded = exponent > 0 ? density.findIndex((value) => value + epsilon === 0) : -1;
    if (unbounded >= 0) {
      throw new InvalidWeightsError(
        `density 0 at position ${unbounded} has no bounded weight; add an epsilon to every density, such as 1e-3`,
      );
    }
    if (exponent === 0) return new Float64Array(density.length).fill(1);
    return weightsFromLogarithms(density.map((value) => -exponent * Math.log(value + epsilon)));
  };
}
