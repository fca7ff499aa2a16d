import { type Matrix, type TimeSlices, timeSlices } from '@rarefy/core';
import type { Rows } from '../distance/canonical-distance.js';

/**
 * Groups of equal rows. Rows are equal if all their numbers are, which makes 0 and -0 equal. This is the only definition: density,
 * NN-descent, the wasm modules and the native addon follow it.
 */
export interface RowGroups {
  /** First row of each row's group; int32 [rows]. */
  readonly heads: Int32Array;
  /** Next row of the same group, in ascending order, or -1; int32 [rows]. */
  readonly next: Int32Array;
}

export interface EqualRows extends RowGroups {
  /** The first row of each group, ascending. */
  readonly distinct: Int32Array;
  /** The first row that equals row `row` of `others`, which has as many columns, or -1. */
  find(others: Matrix, row: number): number;
}

/**
 * Groups the rows of a matrix. O(rows x cols) time.
 * @param slices when to let other work run; default: those of `timeSlices`, without a signal
 */
export async function groupEqualRows(
  points: Matrix | Rows,
  slices: TimeSlices = timeSlices(undefined),
): Promise<EqualRows> {
  const { data, rows, cols } = points;
  const stride = 'stride' in points ? points.stride : cols;
  const words = wordsOf(data);
  const hashes = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    hashes[row] = hashOf(words, row * stride, cols);
  }
  const groups = noGroups(rows);
  const isEqual = (i: number, j: number) => areEqual(data, i * stride, data, j * stride, cols);
  const slots = await groupByHash(groups, 0, rows, hashes, isEqual, slices);
  return {
    ...groups,
    distinct: distinctRows(groups),
    find(others, row) {
      const hash = hashOf(wordsOf(others.data), row * cols, cols);
      const isSame = (head: number) => areEqual(data, head * stride, others.data, row * cols, cols);
      return slots[slotOf(slots, hash, isSame)]!;
    },
  };
}

/** Every row in a group of its own. */
export function noGroups(rows: number): RowGroups {
  const heads = new Int32Array(rows);
  for (let row = 0; row < rows; row++) heads[row] = row;
  return { heads, next: new Int32Array(rows).fill(-1) };
}

/** The first row of each group, ascending. */
export function distinctRows({ heads }: RowGroups): Int32Array {
  return heads.filter((head, row) => head === row);
}

/**
 * Groups rows [start, start + rows), which are in groups of their own.
 * @param hashes the same number of words per row; equal rows have equal hashes
 * @param isEqual compares two rows with equal hashes, given their numbers from `start` on
 * @returns a hash table of the first row of each group, for {@link slotOf}
 */
export async function groupByHash(
  { heads, next }: RowGroups,
  start: number,
  rows: number,
  hashes: Uint32Array,
  isEqual: (i: number, j: number) => boolean,
  slices: TimeSlices,
): Promise<Int32Array> {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * rows + 2))).fill(-1);
  const last = Int32Array.from({ length: rows }, (_, row) => row);
  const width = rows === 0 ? 0 : hashes.length / rows;
  const isSame = (i: number, j: number) => {
    for (let word = 0; word < width; word++) if (hashes[i * width + word] !== hashes[j * width + word]) return false;
    return isEqual(i, j);
  };
  for (let row = 0; row < rows; row++) {
    if (row % 256 === 0 && slices.due()) await slices.pause();
    const slot = slotOf(slots, hashes[row * width]!, (head) => isSame(head, row));
    const head = slots[slot]!;
    if (head < 0) {
      slots[slot] = row;
      continue;
    }
    heads[start + row] = start + head;
    next[start + last[head]!] = start + row;
    last[head] = row;
  }
  return slots;
}

/** Compares two rows of `length` numbers at offsets `p` and `q`. `===` makes 0 and -0 equal. */
export function areEqual(x: Float32Array, p: number, y: Float32Array, q: number, length: number): boolean {
  for (let column = 0; column < length; column++) if (x[p + column] !== y[q + column]) return false;
  return true;
}

/** The slot that holds a row for which `isSame` is true, or else the free slot (-1) where such a row belongs. */
function slotOf(slots: Int32Array, hash: number, isSame: (row: number) => boolean): number {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot]! >= 0 && !isSame(slots[slot]!)) slot = (slot + 1) & mask;
  return slot;
}

const minusZero = 0x80000000;

function hashOf(words: Uint32Array, start: number, length: number): number {
  let hash = 0;
  for (let index = start; index < start + length; index++) {
    const word = words[index]!;
    hash = Math.imul(hash ^ (word === minusZero ? 0 : word), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

function wordsOf(data: Float32Array): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}
