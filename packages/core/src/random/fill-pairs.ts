/**
 * Fills `out` with the uniform values of the counters (`low`, `high`), (`low` + 1, `high`) and so on, without a carry into `high`.
 * If `out` has an odd length, its last value is left unchanged.
 *
 * This repeats the code of `threefry2x32` with two blocks interleaved, only for speed: one block is a long chain of dependent
 * operations, and a processor works on two chains in the time of one. Change both together; a test compares them.
 */
export function fillPairs(low: number, high: number, key0: number, key1: number, out: Float64Array): void {
  const key2 = key0 ^ key1 ^ 0x1bd11bda;
  for (let index = 0; index + 1 < out.length; index += 2) {
    let x0 = (low + index + key0) | 0;
    let x1 = (x0 + 1) | 0;
    let y0 = (high + key1) | 0;
    let y1 = y0;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 13) | (y0 >>> 19)) ^ x0;
    y1 = ((y1 << 13) | (y1 >>> 19)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 15) | (y0 >>> 17)) ^ x0;
    y1 = ((y1 << 15) | (y1 >>> 17)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 26) | (y0 >>> 6)) ^ x0;
    y1 = ((y1 << 26) | (y1 >>> 6)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 6) | (y0 >>> 26)) ^ x0;
    y1 = ((y1 << 6) | (y1 >>> 26)) ^ x1;
    x0 = (x0 + key1) | 0;
    x1 = (x1 + key1) | 0;
    y0 = (y0 + key2 + 1) | 0;
    y1 = (y1 + key2 + 1) | 0;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 17) | (y0 >>> 15)) ^ x0;
    y1 = ((y1 << 17) | (y1 >>> 15)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 29) | (y0 >>> 3)) ^ x0;
    y1 = ((y1 << 29) | (y1 >>> 3)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 16) | (y0 >>> 16)) ^ x0;
    y1 = ((y1 << 16) | (y1 >>> 16)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 24) | (y0 >>> 8)) ^ x0;
    y1 = ((y1 << 24) | (y1 >>> 8)) ^ x1;
    x0 = (x0 + key2) | 0;
    x1 = (x1 + key2) | 0;
    y0 = (y0 + key0 + 2) | 0;
    y1 = (y1 + key0 + 2) | 0;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 13) | (y0 >>> 19)) ^ x0;
    y1 = ((y1 << 13) | (y1 >>> 19)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 15) | (y0 >>> 17)) ^ x0;
    y1 = ((y1 << 15) | (y1 >>> 17)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 26) | (y0 >>> 6)) ^ x0;
    y1 = ((y1 << 26) | (y1 >>> 6)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 6) | (y0 >>> 26)) ^ x0;
    y1 = ((y1 << 6) | (y1 >>> 26)) ^ x1;
    x0 = (x0 + key0) | 0;
    x1 = (x1 + key0) | 0;
    y0 = (y0 + key1 + 3) | 0;
    y1 = (y1 + key1 + 3) | 0;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 17) | (y0 >>> 15)) ^ x0;
    y1 = ((y1 << 17) | (y1 >>> 15)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 29) | (y0 >>> 3)) ^ x0;
    y1 = ((y1 << 29) | (y1 >>> 3)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 16) | (y0 >>> 16)) ^ x0;
    y1 = ((y1 << 16) | (y1 >>> 16)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 24) | (y0 >>> 8)) ^ x0;
    y1 = ((y1 << 24) | (y1 >>> 8)) ^ x1;
    x0 = (x0 + key1) | 0;
    x1 = (x1 + key1) | 0;
    y0 = (y0 + key2 + 4) | 0;
    y1 = (y1 + key2 + 4) | 0;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 13) | (y0 >>> 19)) ^ x0;
    y1 = ((y1 << 13) | (y1 >>> 19)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 15) | (y0 >>> 17)) ^ x0;
    y1 = ((y1 << 15) | (y1 >>> 17)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 26) | (y0 >>> 6)) ^ x0;
    y1 = ((y1 << 26) | (y1 >>> 6)) ^ x1;
    x0 = (x0 + y0) | 0;
    x1 = (x1 + y1) | 0;
    y0 = ((y0 << 6) | (y0 >>> 26)) ^ x0;
    y1 = ((y1 << 6) | (y1 >>> 26)) ^ x1;
    x0 = (x0 + key2) | 0;
    x1 = (x1 + key2) | 0;
    y0 = (y0 + key0 + 5) | 0;
    y1 = (y1 + key0 + 5) | 0;
    out[index] = ((x0 >>> 5) * 2 ** 26 + (y0 >>> 6)) * 2 ** -53;
    out[index + 1] = ((x1 >>> 5) * 2 ** 26 + (y1 >>> 6)) * 2 ** -53;
  }
}
