import { type CounterRandom, described, InvalidArgumentError, InvalidWeightsError, shown } from '@rarefy/core';

/** No sum of 2^31 weights up to this one overflows, rounding included. */
const largestWeight = Number.MAX_VALUE / 2 ** 32;

/**
 * Returns the weight, -0 as 0.
 * @throws InvalidWeightsError if it is not a number, not finite, negative, or so large that sums may overflow.
 */
export function checkedWeight(weight: number, position: number): number {
  if (typeof weight === 'number' && weight >= 0 && weight <= largestWeight) return weight + 0;
  const rule =
    weight > largestWeight && weight < Infinity ? `at most ${largestWeight}, or their sum overflows` : 'finite and ≥ 0';
  throw new InvalidWeightsError(`weight ${shown(weight)} at position ${position}: weights must be ${rule}`);
}

/** @throws InvalidArgumentError if `weights` is not an array, such as a promise of one, or an object that has weights. */
export function checkWeightList(weights: ArrayLike<number>): void {
  if (Array.isArray(weights) || ArrayBuffer.isView(weights)) return;
  const what = described(weights);
  const hint = what === 'a promise' ? 'did you forget await?' : 'give an array with one number per position';
  throw new InvalidArgumentError(`weights must be an array of numbers, got ${what}; ${hint}`);
}

/**
 * A copy with -0 as 0, because JSON has no -0. The range of the numbers is not checked.
 * @throws InvalidArgumentError if there is no array; InvalidWeightsError naming the first weight that is not a number, such as
 * null,
 *   which JSON writes for NaN.
 */
export function copyWeights(weights: ArrayLike<number>): Float64Array {
  checkWeightList(weights);
  const copy = new Float64Array(weights.length);
  for (let position = 0; position < copy.length; position++) {
    const weight = weights[position]!;
    copy[position] = typeof weight === 'number' ? weight + 0 : checkedWeight(weight, position);
  }
  return copy;
}

/** @throws InvalidArgumentError if `random` is not a counter random, but for example a seed or Math.random. */
export function checkRandom(random: CounterRandom): void {
  if (typeof Object(random).fill === 'function' && typeof Object(random).fork === 'function') return;
  throw new InvalidArgumentError(`random must be a counter random, got ${shown(random)}; give counterRandom(seed)`);
}

/** @throws InvalidWeightsError if all `size` weights are zero. */
export function checkTotal(total: number, size: number): void {
  if (total > 0) return;
  throw new InvalidWeightsError(
    `all ${size} weights are zero, so nothing can be drawn; give at least one weight above 0`,
  );
}

/** @throws InvalidWeightsError if more draws without replacement are wanted than the `possible` of `size` weights above 0. */
export function checkEnough(count: number, possible: number, size: number): void {
  if (count <= possible) return;
  throw new InvalidWeightsError(
    `${count} draws without replacement need ${count} weights above 0, and ${possible} of ${size} are; draw fewer`,
  );
}

/** @throws InvalidArgumentError if there are more than 2^31 - 1 positions, which do not fit in int32. */
export function checkSize(size: number): void {
  if (size <= 2 ** 31 - 1) return;
  throw new InvalidArgumentError(
    `${size} positions are more than 2^31 - 1 and do not fit in int32; split the data set and draw from its parts`,
  );
}
