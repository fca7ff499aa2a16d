import { NotFiniteError, ShapeError } from '@rarefy/core';

/**
 * Spearman's rank correlation, in [-1, 1]: Pearson's correlation of the ranks, equal values sharing their mean rank. Undefined where
 * one side has no order: all its values are equal, or there are none.
 * @throws ShapeError when the lengths differ; NotFiniteError naming the first value that is not finite.
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number | undefined {
  if (a.length !== b.length) throw new ShapeError(`${a.length} values and ${b.length} others; give one of each a row`);
  const [ranks, others] = [meanRanks(a), meanRanks(b)];
  const middle = (a.length - 1) / 2;
  let [product, squares, otherSquares] = [0, 0, 0];
  for (let row = 0; row < a.length; row++) {
    const [x, y] = [ranks[row]! - middle, others[row]! - middle];
    product += x * y;
    squares += x * x;
    otherSquares += y * y;
  }
  if (squares === 0 || otherSquares === 0) return undefined;
  return Math.max(-1, Math.min(1, product / Math.sqrt(squares * otherSquares)));
}

/** Rank of each value from 0, in ascending order; equal values have the mean of their ranks. */
function meanRanks(values: ArrayLike<number>): Float64Array {
  const order = new Int32Array(values.length);
  for (let row = 0; row < values.length; row++) {
    if (!Number.isFinite(values[row]))
      throw new NotFiniteError(`value ${values[row]} at position ${row} is not finite`);
    order[row] = row;
  }
  order.sort((row, other) => values[row]! - values[other]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let at = start; at < end; at++) ranks[order[at]!] = (start + end - 1) / 2;
  }
  return ranks;
}
