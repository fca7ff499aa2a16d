import type { Matrix, TimeSlices } from '@rarefy/core';
import { groupEqualRows } from '@rarefy/neighbors/equal-rows';

/** Points with equal rows merged. */
export interface DistinctRows {
  /** Each distinct row once, in order of first occurrence; a copy. */
  readonly points: Matrix;
  /** How often each of them occurs. */
  readonly counts: Int32Array;
  /** Row of `points` that equals each given row. */
  readonly classOf: Int32Array;
  /** 53 bits of the content of each distinct row, as a safe integer; the same on every platform. */
  readonly keys: Float64Array;
  /** The distinct row that equals a row of other points with as many columns, or -1. */
  find(others: Matrix, row: number): number;
}

/** Merges equal rows, as {@link groupEqualRows} defines them: 0 and -0 are equal. O(rows x cols). */
export async function distinctRows(given: Matrix, slices: TimeSlices): Promise<DistinctRows> {
  const { data, rows, cols } = given;
  const { heads, distinct } = await groupEqualRows(given, slices);
  const words = new Int32Array(data.buffer, data.byteOffset, data.length);
  const points = { data: new Float32Array(distinct.length * cols), rows: distinct.length, cols };
  const keys = new Float64Array(distinct.length);
  const classOf = new Int32Array(rows);
  for (const [index, row] of distinct.entries()) {
    points.data.set(data.subarray(row * cols, (row + 1) * cols), index * cols);
    keys[index] = contentKey(words, row * cols, cols);
    classOf[row] = index;
    if (index % 64 === 0 && slices.due()) await slices.pause();
  }
  const counts = new Int32Array(distinct.length);
  for (let row = 0; row < rows; row++) {
    classOf[row] = classOf[heads[row]!]!; // the head comes first
    counts[classOf[row]!]!++;
  }
  const { find } = await groupEqualRows(points, slices); // of the copy, since the caller may reuse the buffer of `given`
  return { points, counts, classOf, keys, find };
}

const minusZero = 0x80000000 | 0;

/** 53 bits of two 32-bit hashes with different constants, mixed as MurmurHash3 does. -0 counts as 0. */
function contentKey(words: Int32Array, start: number, length: number): number {
  let high = 0x9747b28c | 0;
  let low = length;
  for (let at = start; at < start + length; at++) {
    const word = words[at] === minusZero ? 0 : words[at]!;
    const scrambled = Math.imul(word, 0xcc9e2d51 | 0);
    high ^= Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
    high = Math.imul((high << 13) | (high >>> 19), 5) + (0xe6546b64 | 0);
    const other = Math.imul(word, 0x239b961b);
    low ^= Math.imul((other << 17) | (other >>> 15), 0xab0e9789 | 0);
    low = Math.imul((low << 19) | (low >>> 13), 5) + 0x561ccd1b;
  }
  const mixed = finish(high ^ length);
  return (mixed >>> 11) * 2 ** 32 + (finish(low ^ mixed) >>> 0);
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b | 0);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35 | 0);
  return mixed ^ (mixed >>> 16);
}
