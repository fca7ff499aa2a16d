import type { Matrix } from '@rarefy/core';
import { naiveDistance } from './naive-index.js';

/**
 * Whether the k nearest neighbors in a layout are also near among the points: 1 if all are, about 0.5 for a random layout.
 * Takes O(n² log n) time. Source: Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", ICANN 2001.
 */
export function trustworthiness(points: Matrix, layout: Matrix, k: number): number {
  const n = points.rows;
  let penalty = 0;
  for (let row = 0; row < n; row++) {
    const ranks = new Map(byDistance(points, row).map((other, rank) => [other, rank + 1]));
    for (const other of byDistance(layout, row).slice(0, k)) penalty += Math.max(0, ranks.get(other)! - k);
  }
  return 1 - (2 * penalty) / (n * k * (2 * n - 3 * k - 1));
}

/** The other rows, nearest first. */
function byDistance({ data, rows, cols }: Matrix, from: number): number[] {
  const rowAt = (row: number) => data.subarray(row * cols, (row + 1) * cols);
  const distances = Float64Array.from({ length: rows }, (_, other) =>
    naiveDistance('euclidean', rowAt(from), rowAt(other)),
  );
  return Array.from({ length: rows }, (_, other) => other)
    .filter((other) => other !== from)
    .sort((a, b) => distances[a]! - distances[b]!);
}
