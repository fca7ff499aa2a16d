import { type CounterRandom, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { checkCount } from './structures/check-count.js';
import { checkEnough } from './structures/check-drawable.js';
import { checkedWeight } from './structures/check-weight.js';
import { drawWithoutReplacement } from './structures/exponential-keys.js';
import { inclusionProbabilities } from './structures/inclusion-probabilities.js';

export interface BalancedDraw {
  /** `count` different positions: the first of each group, then the second of each, and so on. */
  readonly positions: Int32Array;
  /** Draws a group; they sum to `count`. */
  readonly shares: Int32Array;
  /** Chance of each position to be among the draws, exactly. O(rows) for each draw of a share; computed when first read. */
  readonly inclusion: Float64Array;
}

/**
 * Draws without replacement in equal shares from groups, by the weights within each (successive sampling). A group that has fewer
 * rows than its share gives them all, and the others share what is left; what cannot be divided goes to the largest groups.
 * @param weights one a position, finite and ≥ 0; a weight of 0 is never drawn
 * @param groupOf group of each position, an integer ≥ 0; numbered without wide gaps, since every number has a share
 * @throws ShapeError when the lengths differ; InvalidWeightsError naming the first bad weight, or when fewer than `count` are above 0;
 * InvalidArgumentError for a bad count or group.
 */
export function drawBalanced(
  weights: Float64Array,
  groupOf: Int32Array,
  count: number,
  random: CounterRandom,
): BalancedDraw {
  if (groupOf.length !== weights.length) {
    throw new ShapeError(`${weights.length} weights and ${groupOf.length} groups; give one of each a position`);
  }
  checkCount(count);
  const members: number[][] = [];
  groupOf.forEach((group, position) => {
    if (group < 0) throw new InvalidArgumentError(`group ${group} at position ${position}: groups must be ≥ 0`);
    const weight = checkedWeight(weights[position]!, position);
    members[group] ??= [];
    if (weight > 0) members[group].push(position);
  });
  const groups = Array.from(members, (positions) => positions ?? []);
  const sizes = groups.map(({ length }) => length);
  const possible = sizes.reduce((sum, size) => sum + size, 0);
  checkEnough(count, possible, weights.length);
  const shares = equalShares(sizes, count);
  const weightsOf = (group: number) => Float64Array.from(groups[group]!, (position) => weights[position]!);
  const draws = groups.map((positions, group) =>
    drawWithoutReplacement(weightsOf(group), shares[group]!, random.fork(group)).map((at) => positions[at]!),
  );
  const positions = new Int32Array(count);
  for (let place = 0, filled = 0; filled < count; place++) {
    for (const drawn of draws) if (place < drawn.length) positions[filled++] = drawn[place]!;
  }
  let inclusion: Float64Array | undefined;
  return {
    positions,
    shares,
    get inclusion() {
      if (inclusion) return inclusion;
      inclusion = new Float64Array(weights.length);
      for (const [group, own] of groups.entries()) {
        const chances = inclusionProbabilities(weightsOf(group), shares[group]!);
        own.forEach((position, at) => {
          inclusion![position] = chances[at]!;
        });
      }
      return inclusion;
    },
  };
}

/** Splits `count` over groups as evenly as their sizes, which sum to no less, allow. */
function equalShares(sizes: readonly number[], count: number): Int32Array {
  const shares = new Int32Array(sizes.length);
  const ascending = Array.from(sizes.keys()).sort((a, b) => sizes[a]! - sizes[b]! || b - a);
  let left = count;
  ascending.forEach((group, done) => {
    shares[group] = Math.min(sizes[group]!, Math.floor(left / (sizes.length - done)));
    left -= shares[group]!;
  });
  return shares;
}
