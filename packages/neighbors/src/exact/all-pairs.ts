import { type CallOptions, type Neighbors, startProgress, timeSlices } from '@rarefy/core';
import type { RowDistance, Rows } from '../distance/canonical-distance.js';
import { neighborLists } from '../rows/neighbor-lists.js';

/** Two blocks of rows of this size stay in a core's second-level cache. */
const blockBytes = 2 ** 18;

/**
 * The k nearest other rows of every row. Each pair of rows is computed once and offered to both. O(n²) time, O(n k) memory.
 */
export async function selfJoinRows(
  points: Rows,
  k: number,
  distance: RowDistance,
  { signal, onEvent }: CallOptions,
): Promise<Neighbors> {
  const total = points.rows;
  const slices = timeSlices(signal);
  const progress = startProgress('self-join', total, onEvent);
  const lists = neighborLists(total, k);
  const block = blockRows(points);
  for (let top = 0; top < total; top += block) {
    const bottom = Math.min(top + block, total);
    for (let left = top; left < total; left += block) {
      const right = Math.min(left + block, total);
      for (let i = top; i < bottom; i++) {
        for (let j = Math.max(left, i + 1); j < right; j++) {
          const value = distance(points, i, points, j);
          lists.offer(i, value, j);
          lists.offer(j, value, i);
        }
        if (slices.due()) await slices.pause();
      }
    }
    progress.report(bottom);
  }
  const neighbors = await lists.finish(slices);
  progress.end();
  return neighbors;
}

/** The k nearest rows of every query. @param exclude one id per query to leave out, or -1 */
export async function searchRows(
  queries: Rows,
  points: Rows,
  k: number,
  distance: RowDistance,
  exclude: Int32Array | undefined,
  { signal, onEvent }: CallOptions,
): Promise<Neighbors> {
  const total = queries.rows;
  const slices = timeSlices(signal);
  const progress = startProgress('search', total, onEvent);
  const lists = neighborLists(total, k);
  const block = blockRows(queries);
  for (let top = 0; top < total; top += block) {
    const bottom = Math.min(top + block, total);
    for (let left = 0; left < points.rows; left += block) {
      const right = Math.min(left + block, points.rows);
      for (let i = top; i < bottom; i++) {
        const excluded = exclude?.[i] ?? -1;
        for (let j = left; j < right; j++) if (j !== excluded) lists.offer(i, distance(queries, i, points, j), j);
        if (slices.due()) await slices.pause();
      }
    }
    progress.report(bottom);
  }
  const neighbors = await lists.finish(slices);
  progress.end();
  return neighbors;
}

function blockRows({ stride }: Rows): number {
  return Math.max(16, Math.floor(blockBytes / (4 * stride)));
}
