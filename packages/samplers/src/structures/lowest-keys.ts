/**
 * Indices of the `count` lowest keys, lowest first, ties by index. O(n) for keys that differ in their upper 32 bits.
 *
 * Positive float64 numbers are ordered like their bits. A histogram of the upper 16 bits finds the bin of the last wanted key;
 * the keys up to that bin are sorted by their upper 32 bits, then runs of equal upper bits by the whole key.
 * @param keys ≥ +0, without NaN
 * @param count integer in [0, keys.length]
 */
export function lowestKeys(keys: Float64Array, count: number): Int32Array {
  if (keys.length < 2048) {
    const all = Int32Array.from(keys, (_, index) => index);
    return all.sort((a, b) => keys[a]! - keys[b]! || a - b).slice(0, count);
  }
  if (count === 0) return new Int32Array(0);
  const words = new Int32Array(keys.buffer, keys.byteOffset, 2 * keys.length); // little-endian: the upper word is odd
  const histogram = new Int32Array(2 ** 15);
  for (let index = 0; index < keys.length; index++) {
    const bin = words[2 * index + 1]! >> 16;
    histogram[bin] = histogram[bin]! + 1;
  }
  let last = 0;
  let candidates = histogram[0]!;
  while (candidates < count) candidates += histogram[++last]!;

  let indices = new Int32Array(candidates);
  for (let index = 0, filled = 0; filled < candidates; index++) {
    if (words[2 * index + 1]! >> 16 <= last) indices[filled++] = index;
  }
  let sorted = new Int32Array(candidates);
  for (let shift = 0; shift < 32; shift += 11) {
    sortByDigit(words, shift, indices, sorted);
    [indices, sorted] = [sorted, indices];
  }
  sortRuns(keys, words, indices);
  return indices.slice(0, count);
}

/** One stable pass of a radix sort by 11 bits of the upper word, from bit `shift` on. */
function sortByDigit(words: Int32Array, shift: number, indices: Int32Array, sorted: Int32Array): void {
  const starts = new Int32Array(2 ** 11 + 1);
  for (const index of indices) {
    const digit = (words[2 * index + 1]! >>> shift) & 2047;
    starts[digit + 1] = starts[digit + 1]! + 1;
  }
  for (let digit = 0; digit < 2048; digit++) starts[digit + 1] = starts[digit + 1]! + starts[digit]!;
  for (const index of indices) {
    const digit = (words[2 * index + 1]! >>> shift) & 2047;
    const slot = starts[digit]!;
    starts[digit] = slot + 1;
    sorted[slot] = index;
  }
}

/** Sorts each run of equal upper words by the whole key, ties by index. */
function sortRuns(keys: Float64Array, words: Int32Array, indices: Int32Array): void {
  for (let start = 0; start < indices.length; ) {
    const upper = words[2 * indices[start]! + 1]!;
    let end = start + 1;
    while (end < indices.length && words[2 * indices[end]! + 1] === upper) end++;
    if (end - start > 1) indices.subarray(start, end).sort((a, b) => keys[a]! - keys[b]! || a - b);
    start = end;
  }
}
