import { checkOptions, InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';

/**
 * Importance weights correct for how prompts were drawn: (p / q)^beta, where q is the probability of the draw and p its
 * probability under the target. `full` is beta 1: means over draws then estimate means under the target. `none` is beta 0. A
 * `beta` in between trades bias for variance (Schaul et al. 2016, "Prioritized experience replay").
 */
export type Importance = 'none' | 'full' | { readonly beta: number };

/**
 * The importance weight (p / q)^beta of every draw.
 * @param probabilities q of each draw
 * @param target p of every position, summing to 1; default: uniform over `size`
 * @throws InvalidWeightsError naming a position with q outside (0, 1] or p outside [0, 1]; otherwise as {@link checkImportance}.
 */
export function importanceWeights(
  positions: Int32Array,
  probabilities: Float64Array,
  importance: Importance,
  size: number,
  target?: Float64Array,
): Float64Array {
  checkImportance(importance, size, target);
  const beta = betaOf(importance);
  return Float64Array.from(positions, (position, draw) => {
    const q = probabilities[draw]!;
    const p = target ? target[position]! : 1 / size;
    if (!(q > 0 && q <= 1)) throw new InvalidWeightsError(`position ${position} was drawn with probability ${q}`);
    if (!(p >= 0 && p <= 1)) throw new InvalidWeightsError(`the target probability of position ${position} is ${p}`);
    return (p / q) ** beta;
  });
}

/** @throws InvalidArgumentError if `importance` is unknown, beta is outside [0, 1], or `target` has not `size` probabilities. */
export function checkImportance(importance: Importance, size: number, target?: Float64Array): void {
  if (typeof importance === 'string') {
    if (importance !== 'none' && importance !== 'full') {
      throw new InvalidArgumentError(`importance must be 'none', 'full' or { beta }, got '${importance}'`);
    }
  } else checkOptions(importance, ['beta'], 'importance');
  const beta = betaOf(importance);
  if (!(beta >= 0 && beta <= 1)) throw new InvalidArgumentError(`importance.beta must be in [0, 1], got ${beta}`);
  if (target && target.length !== size) {
    throw new InvalidArgumentError(
      `target has ${target.length} probabilities for ${size} prompts; give one per prompt`,
    );
  }
}

function betaOf(importance: Importance): number {
  return importance === 'none' ? 0 : importance === 'full' ? 1 : importance.beta;
}
