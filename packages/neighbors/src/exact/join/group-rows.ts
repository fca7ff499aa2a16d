import type { TimeSlices } from '../time-slices.js';

/** Rows that are equal, -0 being 0, as one chain from the first of them: `next` is -1 at its end. */
export interface RowGroups {
  /** First row of each row's group; int32 [rows]. */
  readonly heads: Int32Array;
  /** The group's next row, in ascending order; int32 [rows]. */
  readonly next: Int32Array;
}

/** Every row a group of its own. */
export function noGroups(rows: number): RowGroups {
  const heads = new Int32Array(rows);
  for (let row = 0; row < rows; row++) heads[row] = row;
  return { heads, next: new Int32Array(rows).fill(-1) };
}

/**
 * Groups rows [start, start + rows) by their 64-bit hashes and, where these agree, by their numbers.
 * @param data the rows, `stride` numbers each
 * @param hashes 2 uint32 a row
 */
export async function groupRows(
  groups: RowGroups,
  start: number,
  rows: number,
  data: Float32Array,
  stride: number,
  hashes: Uint32Array,
  slices: TimeSlices,
): Promise<void> {
  const { heads, next } = groups;
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * rows + 2))).fill(-1);
  const last = Int32Array.from({ length: rows }, (_, row) => row);
  for (let row = 0; row < rows; row++) {
    if (row % 256 === 0 && slices.due()) await slices.pause();
    let slot = hashes[2 * row]! & (slots.length - 1);
    let head = slots[slot]!;
    while (head >= 0 && !(isHashEqual(hashes, head, row) && isEqual(data, head * stride, row * stride, stride))) {
      slot = (slot + 1) & (slots.length - 1);
      head = slots[slot]!;
    }
    if (head < 0) {
      slots[slot] = row;
      continue;
    }
    heads[start + row] = start + head;
    next[start + last[head]!] = start + row;
    last[head] = row;
  }
}

function isHashEqual(hashes: Uint32Array, i: number, j: number): boolean {
  return hashes[2 * i] === hashes[2 * j] && hashes[2 * i + 1] === hashes[2 * j + 1];
}

function isEqual(data: Float32Array, p: number, q: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (data[p + at] !== data[q + at]) return false;
  return true;
}
