import { counterRandom } from '@rarefy/core';
import { drawWithoutReplacement, estimatedInclusion, inclusionProbabilities } from '@rarefy/samplers';
import { similarityWeights } from './similarity-weights.js';
import type { SubsetMethod } from './subset.js';

/** Above this many rows the exact chances, 20 µs each, would keep the user waiting. */
const exactRows = 50_000;

/** Rare rows more often: exact successive sampling. */
export const weightedSubset: SubsetMethod = async (rows, options, call) => {
  const { budget, seed } = options;
  const { density, weights, details } = await similarityWeights(rows, options, call);
  const positions = drawWithoutReplacement(weights, budget, counterRandom(seed));
  const isExact = weights.length <= exactRows;
  const inclusion = isExact ? inclusionProbabilities(weights, budget) : estimatedInclusion(weights, budget);
  const how = isExact ? 'exact' : 'estimated';
  return {
    positions,
    columns: { density, weight: weights, inclusion },
    details: { ...details, inclusion: how },
    note: inclusionNote(inclusion, budget, how),
  };
};

/** Said when the chance to be in the subset is no longer near budget × probability. */
export function inclusionNote(inclusion: Float64Array, budget: number, how: string): string | undefined {
  const share = budget / inclusion.length;
  if (share <= 0.1) return undefined;
  const sorted = inclusion.slice().sort();
  const percent = (value: number) => `${(100 * value).toPrecision(3)} %`;
  const [least, middle, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!].map(percent);
  return `the budget is ${percent(share)} of the rows, so a row's chance to be picked is not in proportion to its weight: ${least} at least, median ${middle}, ${most} at most (${how})`;
}
