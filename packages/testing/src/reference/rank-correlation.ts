import type { Matrix } from '@rarefy/core';
import { naiveDistance } from './naive-index.js';

/**
 * Spearman's rank correlation between the distances of all pairs of rows among the points and in the layout: 1 if both have the
 * same order, about 0 for a random layout. Takes O(n² log n) time.
 */
export function distanceRankCorrelation(points: Matrix, layout: Matrix): number {
  const [one, other] = [ranksOf(pairDistances(points)), ranksOf(pairDistances(layout))];
  const mean = (one.length - 1) / 2;
  let [product, squares, otherSquares] = [0, 0, 0];
  for (let pair = 0; pair < one.length; pair++) {
    product += (one[pair]! - mean) * (other[pair]! - mean);
    squares += (one[pair]! - mean) ** 2;
    otherSquares += (other[pair]! - mean) ** 2;
  }
  return squares === 0 || otherSquares === 0 ? 0 : product / Math.sqrt(squares * otherSquares);
}

function pairDistances({ data, rows, cols }: Matrix): Float64Array {
  const rowAt = (row: number) => data.subarray(row * cols, (row + 1) * cols);
  const distances = new Float64Array((rows * (rows - 1)) / 2);
  let pair = 0;
  for (let row = 1; row < rows; row++) {
    for (let other = 0; other < row; other++) distances[pair++] = naiveDistance('euclidean', rowAt(row), rowAt(other));
  }
  return distances;
}

/** Rank of each value, from 0; equal values share the mean of their ranks. */
function ranksOf(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values, (_, index) => index).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let rank = start; rank < end; rank++) ranks[order[rank]!] = (start + end - 1) / 2;
  }
  return ranks;
}
