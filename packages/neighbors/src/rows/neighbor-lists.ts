import type { Neighbors, TimeSlices } from '@rarefy/core';

/** The k nearest candidates so far of each of many rows: one bounded max-heap per row, with its farthest entry at the root. */
export interface NeighborLists {
  /** Adds the candidate if it comes before the row's farthest entry, by (distance, id). An id may be offered once per row. */
  offer(row: number, distance: number, id: number): void;
  /** Empties the row's list. */
  clear(row: number): void;
  /** Distance of the row's farthest entry; +Infinity while the list is not full. */
  farthest(row: number): number;
  /** Sorts a row's list. No other call for this row may follow. */
  sort(row: number): void;
  /** The lists; a row is in order once it is sorted. */
  readonly neighbors: Neighbors;
  /** Sorts all rows, with pauses. No other call may follow. */
  finish(slices: TimeSlices): Promise<Neighbors>;
}

/** O(rows x k) memory; an accepted candidate costs O(log k), a rejected one O(1). */
export function neighborLists(rows: number, k: number): NeighborLists {
  const ids = new Int32Array(rows * k).fill(-1);
  const distances = new Float32Array(rows * k).fill(Number.POSITIVE_INFINITY);

  /** Sifts a new entry down from the root of the heap in [base, base + size). */
  const siftDown = (base: number, size: number, distance: number, id: number) => {
    let at = base;
    for (let child = at + 1; child < base + size; child = 2 * (at - base) + 1 + base) {
      const right = child + 1;
      if (right < base + size && isFarther(distances[right]!, ids[right]!, distances[child]!, ids[child]!))
        child = right;
      if (!isFarther(distances[child]!, ids[child]!, distance, id)) break;
      distances[at] = distances[child]!;
      ids[at] = ids[child]!;
      at = child;
    }
    distances[at] = distance;
    ids[at] = id;
  };

  const sort = (row: number) => {
    const base = row * k;
    for (let last = base + k - 1; last > base; last--) {
      const distance = distances[last]!;
      const id = ids[last]!;
      distances[last] = distances[base]!;
      ids[last] = ids[base]!;
      siftDown(base, last - base, distance, id);
    }
  };

  const neighbors = { rows, k, ids, distances };
  return {
    offer(row, distance, id) {
      const base = row * k;
      if (isFarther(distances[base]!, ids[base]!, distance, id)) siftDown(base, k, distance, id);
    },
    clear(row) {
      ids.fill(-1, row * k, (row + 1) * k);
      distances.fill(Number.POSITIVE_INFINITY, row * k, (row + 1) * k);
    },
    farthest: (row) => distances[row * k]!,
    sort,
    neighbors,
    async finish(slices) {
      for (let row = 0; row < rows; row++) {
        if (row % 64 === 0 && slices.due()) await slices.pause();
        sort(row);
      }
      return neighbors;
    },
  };
}

/** Orders by (distance, id). As an unsigned number, the id -1 of a missing neighbor comes after every real one. */
function isFarther(distance: number, id: number, otherDistance: number, otherId: number): boolean {
  return distance > otherDistance || (distance === otherDistance && id >>> 0 > otherId >>> 0);
}
