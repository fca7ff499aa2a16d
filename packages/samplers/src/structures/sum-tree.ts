import { InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import { checkedWeight, checkSize, checkWeightList } from './checks.js';
import { cumulate, findAll, findOne, type Nodes, refresh, sumOfLeaves } from './sum-tree-nodes.js';

/**
 * Weights that may change between draws: O(log n) per update, O(log n) per draw.
 *
 * Sums are recomputed from their children, never adjusted by a difference. So rounding errors do not build up over millions of
 * updates (a Fenwick tree drifts), and equal weights give equal draws whatever updates led to them.
 */
export interface SumTree {
  readonly size: number;
  /** Sum of all weights, finite. */
  readonly total: number;
  weight(position: number): number;
  /** @throws InvalidArgumentError if the position is outside [0, size); InvalidWeightsError if the weight is invalid. */
  update(position: number, weight: number): void;
  /** The same for many positions, and faster; all or none. If a position occurs twice, its last weight applies. */
  updateAll(positions: Int32Array, weights: Float64Array): void;
  /** Adds positions at the end, all or none; O(log n) each, amortized. @throws InvalidWeightsError if a weight is invalid. */
  append(weights: Float64Array): void;
  /**
   * The position whose share of the cumulative weights contains `uniform`. A position of weight 0 is never returned.
   * @param uniform in [0, 1)
   * @throws InvalidWeightsError if all weights are zero.
   */
  find(uniform: number): number;
  /** The same for `positions.length` uniforms, and faster. Overwrites each uniform with the weight of its position. */
  findAll(uniforms: Float64Array, positions: Int32Array): void;
}

/**
 * @param weights one per position, finite, ≥ 0 and at most 2^-32 of the largest float64; copied, -0 as 0
 * @throws InvalidWeightsError naming the first invalid weight; InvalidArgumentError if `weights` is not an array, or has more than
 * 2^31 - 1 weights.
 */
export function sumTree(weights: ArrayLike<number>): SumTree {
  checkWeightList(weights);
  let size = weights.length;
  let leaves = new Float64Array(capacityFor(size));
  for (let position = 0; position < size; position++) leaves[position] = checkedWeight(weights[position]!, position);
  let nodes = buildNodes(leaves);
  const onePosition = new Int32Array(1);

  const total = () => nodes.sums[0]!;
  const checkPosition = (position: number) => {
    if (position >= 0 && position < size && Number.isInteger(position)) return;
    throw new InvalidArgumentError(`position ${position} is not an integer in [0, ${size})`);
  };
  const checkDrawable = () => {
    if (!(total() > 0)) throw new InvalidWeightsError('all weights are zero, so nothing can be drawn');
  };

  return {
    get size() {
      return size;
    },
    get total() {
      return total();
    },
    weight: (position) => leaves[position]!,
    update(position, weight) {
      checkPosition(position);
      leaves[position] = checkedWeight(weight, position);
      onePosition[0] = position;
      refresh(leaves, nodes, onePosition);
    },
    updateAll(positions, weights) {
      for (let index = 0; index < positions.length; index++) {
        checkPosition(positions[index]!);
        checkedWeight(weights[index]!, positions[index]!);
      }
      for (let index = 0; index < positions.length; index++) leaves[positions[index]!] = weights[index]! + 0;
      refresh(leaves, nodes, positions);
    },
    append(added) {
      const checked = added.map((weight, index) => checkedWeight(weight, size + index));
      const larger = size + checked.length;
      if (larger > leaves.length) {
        const grown = new Float64Array(Math.max(capacityFor(larger), capacityFor(Math.min(2 * size, 2 ** 31 - 1))));
        grown.set(leaves);
        leaves = grown;
        leaves.set(checked, size);
        nodes = buildNodes(leaves);
      } else {
        leaves.set(checked, size);
        refresh(
          leaves,
          nodes,
          Int32Array.from(checked, (_, index) => size + index),
        );
      }
      size = larger;
    },
    find(uniform) {
      checkDrawable();
      return findOne(leaves, nodes, uniform * total());
    },
    findAll(uniforms, positions) {
      checkDrawable();
      findAll(leaves, nodes, uniforms, positions);
    },
  };
}

/** Rounds up to a multiple of 16. */
function capacityFor(size: number): number {
  checkSize(size);
  return Math.ceil(Math.max(1, size) / 16) * 16;
}

function buildNodes(leaves: Float64Array): Nodes {
  const counts = [Math.ceil(leaves.length / 256)];
  while (counts[0]! > 1) counts.unshift(Math.ceil(counts[0]! / 16));
  const levels = counts.map((_, level) => 16 + 16 * counts.slice(0, level).reduce((sum, count) => sum + count, 0));
  const bottom = levels.length - 1;
  const length = levels[bottom]! + 16 * counts[bottom]!;
  const sums = new Float64Array(length);
  const before = new Float64Array(length);
  for (let group = 0; group < leaves.length / 16; group++)
    sums[levels[bottom]! + group] = sumOfLeaves(leaves, group << 4);
  for (let level = bottom; level >= 0; level--) {
    const above = level > 0 ? levels[level - 1]! : 0;
    for (let node = 0; node < counts[level]!; node++)
      sums[above + node] = cumulate(sums, before, levels[level]! + 16 * node);
  }
  const ends = levels.map((start, level) => start + (counts[level + 1] ?? leaves.length / 16));
  for (const [level, end] of ends.entries()) before.fill(Infinity, end, levels[level + 1]);
  return { sums, before, levels, ends };
}
