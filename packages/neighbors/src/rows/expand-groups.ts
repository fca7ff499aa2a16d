import type { Neighbors, TimeSlices } from '@rarefy/core';
import { fromOrderedBits, noEntry } from '../distance/ordered-bits.js';
import type { RowGroups } from './equal-rows.js';

/** Lists of neighbors that name one row of each group of equal rows. */
export interface GroupLists {
  /** `width` pairs per row: the first row of a group, and its distance as ordered bits; both {@link noEntry} if missing. */
  readonly lists: Uint32Array;
  readonly width: number;
  /** Groups of the rows that the lists name. */
  readonly groups: RowGroups;
}

/**
 * The k nearest other rows of every row, from the lists of the first row of each group. Groups are replaced by their members.
 * @param ownDistance distance between a row of the group of `head` and a row equal to it
 */
export async function expandSelfJoin(
  rows: number,
  k: number,
  { lists, width, groups }: GroupLists,
  ownDistance: (head: number) => number,
  slices: TimeSlices,
): Promise<Neighbors> {
  const { heads, next } = groups;
  const neighbors = missingNeighbors(rows, k);
  const nearest = nearestRows(k + 1); // one more than k, since a row is in the list of its own group
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    if (heads[row] !== row) continue;
    nearest.clear();
    nearest.offerGroups(lists, row * width, width, next);
    if (next[row]! >= 0) nearest.offerGroup(row, ownDistance(row), next);
    for (let member = row, written = 1; member >= 0; member = next[member]!, written++) {
      nearest.write(neighbors, member, member);
      if (written % 1024 === 0 && slices.due()) await slices.pause();
    }
  }
  return neighbors;
}

/** The k nearest rows of every query. Groups are replaced by their members. @param exclude one id per query to leave out, or -1 */
export async function expandSearch(
  queries: number,
  k: number,
  { lists, width, groups }: GroupLists,
  exclude: Int32Array | undefined,
  slices: TimeSlices,
): Promise<Neighbors> {
  const neighbors = missingNeighbors(queries, k);
  const nearest = nearestRows(k + 1); // one more than k, since one may be excluded
  for (let query = 0; query < queries; query++) {
    if (query % 64 === 0 && slices.due()) await slices.pause();
    nearest.clear();
    nearest.offerGroups(lists, query * width, width, groups.next);
    nearest.write(neighbors, query, exclude?.[query] ?? -1);
  }
  return neighbors;
}

function missingNeighbors(rows: number, k: number): Neighbors {
  const ids = new Int32Array(rows * k).fill(-1);
  return { rows, k, ids, distances: new Float32Array(rows * k).fill(Number.POSITIVE_INFINITY) };
}

/** The nearest of the rows that are offered, by (distance, id), at most `capacity`. */
function nearestRows(capacity: number) {
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
    /** Offers the groups of one list of `width` pairs. */
    offerGroups(lists: Uint32Array, start: number, width: number, next: Int32Array) {
      for (let entry = start; entry < start + width && lists[2 * entry] !== noEntry; entry++) {
        offerGroup(lists[2 * entry]!, fromOrderedBits(lists[2 * entry + 1]!), next);
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
