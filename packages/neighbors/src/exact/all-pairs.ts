import { type CallOptions, type Neighbors, startProgress, timeSlices } from '@rarefy/core';
import type { RowDistance, Rows } from '../distance/canonical-distance.js';
import { type NeighborLists, neighborLists } from '../rows/neighbor-lists.js';

/** Two blocks of rows of this size stay in a core's second-level cache. */
const blockBytes = 2 ** 18;

/** The k nearest other rows of every row. Each pair of rows is computed once and offered to both. O(n²) time, O(n k) memory. */
export async function selfJoinRows(
  points: Rows,
  k: number,
  distance: RowDistance,
  options: CallOptions,
): Promise<Neighbors> {
  const lists = neighborLists(points.rows, k);
  return inBlocks('self-join', points, points, lists, options, (i, left, right) => {
    for (let j = Math.max(left, i + 1); j < right; j++) {
      const value = distance(points, i, points, j);
      lists.offer(i, value, j);
      lists.offer(j, value, i);
    }
  });
}

/** The k nearest rows of every query. @param exclude one id per query to leave out, or -1 */
export async function searchRows(
  queries: Rows,
  points: Rows,
  k: number,
  distance: RowDistance,
  exclude: Int32Array | undefined,
  options: CallOptions,
): Promise<Neighbors> {
  const lists = neighborLists(queries.rows, k);
  return inBlocks('search', queries, points, lists, options, (i, left, right) => {
    const excluded = exclude?.[i] ?? -1;
    for (let j = left; j < right; j++) if (j !== excluded) lists.offer(i, distance(queries, i, points, j), j);
  });
}

/**
 * Calls `compare` for each row of `x` and each block [left, right) of `y`; if they are the same, only for blocks from the row on.
 */
async function inBlocks(
  task: string,
  x: Rows,
  y: Rows,
  lists: NeighborLists,
  { signal, onEvent }: CallOptions,
  compare: (i: number, left: number, right: number) => void,
): Promise<Neighbors> {
  const slices = timeSlices(signal);
  const progress = startProgress(task, x.rows, onEvent);
  const block = Math.max(16, Math.floor(blockBytes / (4 * x.stride)));
  for (let top = 0; top < x.rows; top += block) {
    const bottom = Math.min(top + block, x.rows);
    for (let left = x === y ? top : 0; left < y.rows; left += block) {
      const right = Math.min(left + block, y.rows);
      for (let i = top; i < bottom; i++) {
        compare(i, left, right);
        if (slices.due()) await slices.pause();
      }
    }
    progress.report(bottom);
  }
  const neighbors = await lists.finish(slices);
  progress.end();
  return neighbors;
}
