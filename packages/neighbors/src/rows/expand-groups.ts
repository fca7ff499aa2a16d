import type { Neighbors, TimeSlices } from '@rarefy/core';
import type { RowGroups } from './equal-rows.js';

/**
 * The k nearest other rows of every row. Groups of equal rows are replaced by their members.
 * @param nearest neighbors of the first row of each group, which are first rows of groups too
 * @param ownDistance distance between a row of the group of `head` and a row equal to it
 */
export async function expandSelfJoin(
  nearest: Neighbors,
  k: number,
  { heads, next }: RowGroups,
  ownDistance: (head: number) => number,
  slices: TimeSlices,
): Promise<Neighbors> {
  const { rows } = nearest;
  const neighbors = missingNeighbors(rows, k);
  const list = sortedList(k + 1); // one more than k, since a row is in the list of its own group
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    if (heads[row] !== row) continue;
    list.clear();
    list.offerGroups(nearest, row, next);
    if (next[row]! >= 0) list.offerGroup(row, ownDistance(row), next);
    for (let member = row, written = 1; member >= 0; member = next[member]!, written++) {
      list.write(neighbors, member, member);
      if (written % 1024 === 0 && slices.due()) await slices.pause();
    }
  }
  return neighbors;
}

/**
 * The k nearest rows of every query. Groups of equal rows are replaced by their members.
 * @param nearest neighbors of each query, which are first rows of groups
 * @param exclude one id per query to leave out, or -1
 */
export async function expandSearch(
  nearest: Neighbors,
  k: number,
  { next }: RowGroups,
  exclude: Int32Array | undefined,
  slices: TimeSlices,
): Promise<Neighbors> {
  const neighbors = missingNeighbors(nearest.rows, k);
  const list = sortedList(k + 1); // one more than k, since one may be excluded
  for (let query = 0; query < nearest.rows; query++) {
    if (query % 64 === 0 && slices.due()) await slices.pause();
    list.clear();
    list.offerGroups(nearest, query, next);
    list.write(neighbors, query, exclude?.[query] ?? -1);
  }
  return neighbors;
}

function missingNeighbors(rows: number, k: number): Neighbors {
  const ids = new Int32Array(rows * k).fill(-1);
  return { rows, k, ids, distances: new Float32Array(rows * k).fill(Number.POSITIVE_INFINITY) };
}

/** The nearest of the rows that are offered, by (distance, id), at most `capacity`. */
function sortedList(capacity: number) {
  const ids = new Int32Array(capacity);
  const distances = new Float32Array(capacity);
  let size = 0;

  /** Returns whether the row is among the nearest so far. */
  const offer = (distance: number, id: number): boolean => {
    if (size === capacity) {
      const last = distances[size - 1]!;
      if (distance > last || (distance === last && id > ids[size - 1]!)) return false;
    } else size++;
    let at = size - 1;
    for (; at > 0; at--) {
      const earlier = distances[at - 1]!;
      if (earlier < distance || (earlier === distance && ids[at - 1]! < id)) break;
      distances[at] = earlier;
      ids[at] = ids[at - 1]!;
    }
    distances[at] = distance;
    ids[at] = id;
    return true;
  };
  const offerGroup = (head: number, distance: number, next: Int32Array) => {
    for (let member = head; member >= 0; member = next[member]!) if (!offer(distance, member)) break;
  };

  return {
    clear() {
      size = 0;
    },
    offerGroup,
    /** Offers the groups in one row's list. */
    offerGroups({ k, ids, distances }: Neighbors, row: number, next: Int32Array) {
      for (let cell = row * k; cell < (row + 1) * k && ids[cell]! >= 0; cell++) {
        offerGroup(ids[cell]!, distances[cell]!, next);
      }
    },
    /** Writes the nearest to a row's list, leaving out one id. */
    write(to: Neighbors, row: number, excluded: number) {
      const end = (row + 1) * to.k;
      for (let at = 0, cell = row * to.k; at < size && cell < end; at++) {
        if (ids[at] === excluded) continue;
        to.ids[cell] = ids[at]!;
        to.distances[cell++] = distances[at]!;
      }
    },
  };
}
