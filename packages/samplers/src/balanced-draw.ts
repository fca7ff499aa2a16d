import { type CounterRandom, checkInteger, InvalidArgumentError, ShapeError, shown } from '@rarefy/core';
import { checkEnough, checkedWeight, checkRandom, checkWeightList } from './structures/checks.js';
import { drawWithoutReplacement } from './structures/exponential-keys.js';
import { inclusionProbabilities } from './structures/inclusion-probabilities.js';

export interface BalancedDraw {
  /** `count` different positions: the first of each group, then the second of each, and so on. */
  readonly positions: Int32Array;
  /** Draws per group; they sum to `count`. */
  readonly shares: Int32Array;
  /** Probability of each position to be among the draws; see `inclusionProbabilities`. Computed when first read. */
  readonly inclusion: Float64Array;
}

/**
 * Draws without replacement in equal shares from groups of positions, in proportion to the weights within each group (successive
 * sampling). A group with fewer positions than its share gives all of them, and the other groups share the rest. A remainder goes
 * to the largest groups.
 * @param weights one per position, finite and ≥ 0; a position of weight 0 is never drawn
 * @param groupOf group of each position, an integer ≥ 0; use consecutive numbers, because every number up to the largest has a
 * share
 * @throws ShapeError if the lengths differ; InvalidWeightsError naming the first invalid weight, or if fewer than `count` are
 * above 0; InvalidArgumentError if the count, a group or `random` is invalid.
 */
export function drawBalanced(
  weights: Float64Array,
  groupOf: Int32Array,
  count: number,
  random: CounterRandom,
): BalancedDraw {
  checkWeightList(weights);
  checkRandom(random);
  if (groupOf.length !== weights.length) {
    throw new ShapeError(`got ${weights.length} weights and ${groupOf.length} groups; give one of each per position`);
  }
  checkInteger('count', count, 0);
  const members: number[][] = [];
  groupOf.forEach((group, position) => {
    if (!(Number.isInteger(group) && group >= 0)) {
      throw new InvalidArgumentError(`group ${shown(group)} at position ${position}: groups must be integers ≥ 0`);
    }
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
    drawWithoutReplacement(weightsOf(group), shares[group]!, random.fork(group)).map((index) => positions[index]!),
  );
  const positions = new Int32Array(count);
  for (let round = 0, filled = 0; filled < count; round++) {
    for (const drawn of draws) if (round < drawn.length) positions[filled++] = drawn[round]!;
  }
  let inclusion: Float64Array | undefined;
  return {
    positions,
    shares,
    get inclusion() {
      if (inclusion) return inclusion;
      inclusion = new Float64Array(weights.length);
      for (const [group, own] of groups.entries()) {
        const probabilities = inclusionProbabilities(weightsOf(group), shares[group]!);
        for (const [index, position] of own.entries()) inclusion[position] = probabilities[index]!;
      }
      return inclusion;
    },
  };
}

/** Splits `count` among groups as evenly as their sizes allow. @param sizes sum to at least `count` */
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
