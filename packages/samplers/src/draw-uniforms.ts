import type { CounterRandom } from '@rarefy/core';
import { checkCount } from './structures/check-count.js';
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
  checkCount(count);
  const positions = new Int32Array(count);
  const probabilities = new Float64Array(count); // uniforms, then weights, then chances
  random.fill(first, probabilities);
  weights.findAll(probabilities, positions);
  const { total } = weights;
  for (let draw = 0; draw < count; draw++) probabilities[draw] = probabilities[draw]! / total;
  return { positions, probabilities };
}
