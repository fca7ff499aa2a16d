import type { Matrix, TimeSlices } from '@rarefy/core';

/** Points with equal rows taken together. */
export interface DistinctRows {
  /** Each different row once, in the order of its first place; a copy. */
  readonly points: Matrix;
  /** How often each of them occurs. */
  readonly counts: Int32Array;
  /** Row of `points` that each row given is. */
  readonly classOf: Int32Array;
  /** 53 bits of the content of each distinct row, as a safe integer; the same on every platform. */
  readonly keys: Float64Array;
  /** The distinct row that a row of other points of as many columns is equal to, or -1. */
  find(others: Matrix, row: number): number;
}

/** Rows are equal when all their bits are, so 0 and -0 differ. O(rows x cols). */
export async function distinctRows(given: Matrix, slices: TimeSlices): Promise<DistinctRows> {
  const { rows, cols } = given;
  const newest = new Map<number, number>(); // distinct row of a key; `earlier` chains further ones of the same key
  const earlier: number[] = [];
  const firsts: number[] = [];
  const counts: number[] = [];
  const keys: number[] = [];
  const classOf = new Int32Array(rows);
  const find = (words: Int32Array, row: number, known: Int32Array, startOf: (found: number) => number) => {
    const key = contentKey(words, row * cols, cols);
    let found = newest.get(key) ?? -1;
    while (found >= 0 && !isEqual(words, row * cols, known, startOf(found), cols)) found = earlier[found]!;
    return found;
  };
  const words = wordsOf(given);
  for (let row = 0; row < rows; row++) {
    let found = find(words, row, words, (at) => firsts[at]! * cols);
    if (found < 0) {
      const key = contentKey(words, row * cols, cols);
      found = firsts.length;
      earlier.push(newest.get(key) ?? -1);
      newest.set(key, found);
      firsts.push(row);
      counts.push(0);
      keys.push(key);
    }
    counts[found] = counts[found]! + 1;
    classOf[row] = found;
    if (slices.due()) await slices.pause();
  }
  const points = { data: new Float32Array(firsts.length * cols), rows: firsts.length, cols };
  for (const [at, row] of firsts.entries()) {
    points.data.set(given.data.subarray(row * cols, (row + 1) * cols), at * cols);
    if (at % 1024 === 0 && slices.due()) await slices.pause();
  }
  const known = wordsOf(points);
  return {
    points,
    counts: Int32Array.from(counts),
    classOf,
    keys: Float64Array.from(keys),
    find: (others, row) => find(wordsOf(others), row, known, (at) => at * cols),
  };
}

function wordsOf({ data }: Matrix): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.length);
}

function isEqual(words: Int32Array, start: number, others: Int32Array, otherStart: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (words[start + at] !== others[otherStart + at]) return false;
  return true;
}

/** Two 32-bit hashes of other constants, mixed as MurmurHash3 does; 53 bits of them. */
function contentKey(words: Int32Array, start: number, length: number): number {
  let high = 0x9747b28c | 0;
  let low = length;
  for (let at = start; at < start + length; at++) {
    const word = words[at]!;
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
