import { type CounterRandom, InvalidArgumentError } from '@rarefy/core';
import type { SumTree } from './structures/sum-tree.js';

/**
 * Positions for the uniforms `first` to `first + count`, and the chance of each.
 * @throws InvalidArgumentError for a count that is no integer ≥ 0.
 */
export function drawUniforms(
  weights: SumTree,
  random: CounterRandom,
  first: number,
  count: number,
): { positions: Int32Array; probabilities: Float64Array } {
  checkDrawCount(count);
  const positions = new Int32Array(count);
  const probabilities = new Float64Array(count); // uniforms, then weights, then chances
  random.fill(first, probabilities);
  weights.findAll(probabilities, positions);
  const { total } = weights;
  for (let draw = 0; draw < count; draw++) probabilities[draw] = probabilities[draw]! / total;
  return { positions, probabilities };
}

/** @throws InvalidArgumentError for a count that is no integer ≥ 0. */
export function checkDrawCount(count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return;
  throw new InvalidArgumentError(`count must be an integer ≥ 0, got ${count}`);
}
