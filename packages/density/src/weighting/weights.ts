import { InvalidWeightsError } from '@rarefy/core';

/** @throws InvalidWeightsError naming the first weight that is NaN, infinite or negative, or if all are zero. */
export function checkWeights(weights: Float64Array): void {
  const bad = weights.findIndex((value) => !(value >= 0 && value < Infinity));
  if (bad >= 0) {
    throw new InvalidWeightsError(`weight ${weights[bad]} at position ${bad}: weights must be finite and ≥ 0`);
  }
  if (weights.every((value) => value === 0)) {
    throw new InvalidWeightsError(`all ${weights.length} weights are zero; at least one must be above 0`);
  }
}

/**
 * Kish's effective sample size (Σw)² / Σw²: the number of equally weighted rows that would vary as much. Between 1 and the number
 * of weights above 0; 0 if there are none. Does not overflow.
 */
export function effectiveSampleSize(weights: Float64Array): number {
  const largest = maximum(weights);
  if (!(largest > 0)) return 0;
  let sum = 0;
  let squares = 0;
  for (const weight of weights) {
    const share = weight / largest;
    sum += share;
    squares += share * share;
  }
  return (sum * sum) / squares;
}

/** -Infinity for an empty array. */
export function maximum(values: Float64Array): number {
  return values.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY);
}
