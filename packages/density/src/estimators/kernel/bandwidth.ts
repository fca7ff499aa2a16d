import type { Matrix, TimeSlices } from '@rarefy/core';
import { innerProducts } from '../../numeric/inner-products.js';

const neighbors = 10;
const sampledRows = 1000;
const blockRows = 64;

/**
 * Median distance to the 10th nearest other row, over all rows or 1,000 of them, evenly spaced; 1 if there is only one row.
 * @param points distinct rows, so that copies do not make the bandwidth 0
 * @param squaredLengths squared length of each row
 */
export async function neighborBandwidth(
  { data, rows, cols }: Matrix,
  squaredLengths: Float64Array,
  slices: TimeSlices,
): Promise<number> {
  if (rows < 2) return 1;
  const sampled = Math.min(rows, sampledRows);
  const rank = Math.min(neighbors, rows - 1);
  const products = new Float64Array(blockRows);
  const squares = new Float64Array(rows);
  const found = new Float64Array(sampled);
  for (let at = 0; at < sampled; at++) {
    const row = Math.floor((at * rows) / sampled);
    for (let top = 0; top < rows; top += blockRows) {
      const height = Math.min(blockRows, rows - top);
      innerProducts(data, top, height, data, row, 1, cols, products);
      for (let i = 0; i < height; i++) {
        squares[top + i] = Math.max(0, squaredLengths[row]! + squaredLengths[top + i]! - 2 * products[i]!);
      }
    }
    squares[row] = -1; // the row itself comes first
    found[at] = Math.sqrt(nthSmallest(squares, rank));
    if (slices.due()) await slices.pause();
  }
  found.sort();
  const median = (found[(sampled - 1) >> 1]! + found[sampled >> 1]!) / 2;
  return median > 0 ? median : 1; // 0 if all differences round to 0
}

/** The value at index `rank` of the ascending order. */
function nthSmallest(values: Float64Array, rank: number): number {
  const smallest = new Float64Array(rank + 1).fill(Number.POSITIVE_INFINITY);
  for (const value of values) {
    if (value >= smallest[rank]!) continue;
    let at = rank;
    for (; at > 0 && smallest[at - 1]! > value; at--) smallest[at] = smallest[at - 1]!;
    smallest[at] = value;
  }
  return smallest[rank]!;
}
