import type { Metric, Neighbors } from '@rarefy/core';
import type { TimeSlices } from '../time-slices.js';
import type { RowGroups } from './group-rows.js';

const value = new Float32Array(1);
const valueBits = new Uint32Array(value.buffer);

/** A distance from its bits in the order of unsigned integers. */
function distanceOf(ordered: number): number {
  valueBits[0] = ordered >>> 31 ? ordered & 0x7fffffff : ~ordered;
  return value[0]!;
}

/** Bits of a distance in the order of unsigned integers. */
export function orderedBits(distance: number): number {
  value[0] = distance;
  const bits = valueBits[0]!;
  return (bits >>> 31 ? ~bits : bits | 0x80000000) >>> 0;
}

/** What the rows of `lists` are, and which entries they leave out. */
export interface Expansion {
  /** `width` pairs a row: id of a group's first row, and distance in the order of integers; both 0xffffffff for none. */
  readonly lists: Uint32Array;
  readonly width: number;
  /** Groups of the rows that ids mean. */
  readonly groups: RowGroups;
  /** For a self-join: distance of a row that has copies to each of them. */
  readonly ownDistance?: ((head: number) => number) | undefined;
  /** For a search: one id a row to leave out. */
  readonly exclude?: Int32Array | undefined;
}

/**
 * A row's distance to its copies, by the definition: 0, or by inner product minus its own square, and no -0 where that is too small for
 * float32. @param squares x·x of each row
 */
export const distanceToCopies = (metric: Metric, squares: Float64Array) => (row: number) =>
  metric === 'dot' ? Math.fround(0 - squares[row]!) + 0 : metric === 'cosine' && squares[row] === 0 ? 1 : 0;

/** Neighbours of each row from those of its group: groups are written out as their members, the row itself left out. */
export async function expandGroups(
  rows: number,
  k: number,
  expansion: Expansion,
  slices: TimeSlices,
): Promise<Neighbors> {
  const { lists, width, groups, ownDistance, exclude } = expansion;
  const { next } = groups;
  const heads = ownDistance ? groups.heads : undefined;
  const ids = new Int32Array(rows * k).fill(-1);
  const distances = new Float32Array(rows * k).fill(Number.POSITIVE_INFINITY);
  // One more than k, because the row itself or an excluded one may be among them.
  const nearest = sortedList(k + 1);
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    if (heads && heads[row] !== row) continue;
    nearest.clear();
    for (let at = row * width, end = at + width; at < end; at++) {
      const head = lists[2 * at]!;
      if (head === 0xffffffff) break;
      const distance = distanceOf(lists[2 * at + 1]!);
      for (let member = head; member >= 0; member = next[member]!) if (!nearest.offer(distance, member)) break;
    }
    if (!ownDistance) {
      nearest.write(exclude?.[row] ?? -1, ids, distances, row * k, k);
      continue;
    }
    if (next[row]! >= 0) {
      const own = ownDistance(row);
      for (let member = row; member >= 0; member = next[member]!) if (!nearest.offer(own, member)) break;
    }
    for (let member = row, written = 1; member >= 0; member = next[member]!, written++) {
      nearest.write(member, ids, distances, member * k, k);
      if (written % 1024 === 0 && slices.due()) await slices.pause();
    }
  }
  return { rows, k, ids, distances };
}

/** The nearest of what is offered, by (distance, id), at most `capacity`. */
function sortedList(capacity: number) {
  const ids = new Int32Array(capacity);
  const distances = new Float32Array(capacity);
  let size = 0;
  return {
    clear() {
      size = 0;
    },
    /** Whether it was among the nearest. */
    offer(distance: number, id: number): boolean {
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
    },
    /** Writes the first `count` of them but one id. */
    write(excluded: number, toIds: Int32Array, toDistances: Float32Array, start: number, count: number): void {
      for (let at = 0, to = start; at < size && to < start + count; at++) {
        if (ids[at] === excluded) continue;
        toIds[to] = ids[at]!;
        toDistances[to++] = distances[at]!;
      }
    },
  };
}
