import { checkCount } from './check-count.js';
import { checkEnough } from './check-drawable.js';
import { checkedWeight } from './check-weight.js';

/**
 * About what `inclusionProbabilities` gives, in O(n) and so for millions of positions: 1 - exp(-weight t), with the t for which they
 * sum to `count`. Position i waits an exponential time of rate weight[i]; this takes the time when the last one comes as fixed, which it
 * nearly is when many are drawn.
 * @param weights finite and ≥ 0
 * @throws InvalidWeightsError for a bad weight, or fewer than `count` above 0; InvalidArgumentError for a bad count.
 */
export function estimatedInclusion(weights: ArrayLike<number>, count: number): Float64Array {
  checkCount(count);
  const rates = Float64Array.from(weights, checkedWeight);
  const largest = rates.reduce((most, rate) => Math.max(most, rate), 0);
  const possible = rates.reduce((sum, rate) => sum + (rate > 0 ? 1 : 0), 0);
  checkEnough(count, possible, rates.length);
  if (count === possible) return rates.map((rate) => (rate > 0 ? 1 : 0));
  const chances = (time: number) => rates.map((rate) => -Math.expm1((-rate / largest) * time));
  const expected = (time: number) => chances(time).reduce((sum, chance) => sum + chance, 0);
  let [low, high] = [0, 1];
  while (expected(high) < count && high < Number.MAX_VALUE / 2) [low, high] = [high, 2 * high];
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (expected(middle) < count) low = middle;
    else high = middle;
  }
  return chances(high);
}
