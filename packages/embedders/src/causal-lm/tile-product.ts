/** Rows and columns of a tile: its nine sums stay in registers. */
export const tileSize = 3;

/**
 * Packs `count` vectors for {@link addTileProduct}: groups of {@link tileSize} vectors, each stored entry by entry. The last group
 * is filled up with zero vectors.
 * @param depth entries per vector
 * @param entryOf returns entry `entry` of vector `vector`
 */
export function packPanels(
  count: number,
  depth: number,
  entryOf: (vector: number, entry: number) => number,
  out = new Float64Array(Math.ceil(count / tileSize) * tileSize * depth),
): Float64Array {
  for (let first = 0, base = 0; first < count; first += tileSize, base += tileSize * depth) {
    for (let lane = 0; lane < tileSize; lane++) {
      const vector = first + lane;
      if (vector >= count) for (let entry = 0; entry < depth; entry++) out[base + entry * tileSize + lane] = 0;
      else for (let entry = 0; entry < depth; entry++) out[base + entry * tileSize + lane] = entryOf(vector, entry);
    }
  }
  return out;
}

/**
 * Adds the 3 x 3 inner products of two packed groups in float64.
 * @param p offset of the first group's entries in `x`; `q` likewise in `y`
 * @param length entries to sum over
 * @param offset of the first sum in `out`, whose rows are `stride` apart
 */
export function addTileProduct(
  x: Float64Array,
  p: number,
  y: Float64Array,
  q: number,
  length: number,
  out: Float64Array,
  offset: number,
  stride: number,
): void {
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  for (const end = p + length * tileSize; p < end; p += tileSize, q += tileSize) {
    const x0 = x[p]!;
    const x1 = x[p + 1]!;
    const x2 = x[p + 2]!;
    const y0 = y[q]!;
    const y1 = y[q + 1]!;
    const y2 = y[q + 2]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
  }
  out[offset]! += s00;
  out[offset + 1]! += s01;
  out[offset + 2]! += s02;
  out[offset + stride]! += s10;
  out[offset + stride + 1]! += s11;
  out[offset + stride + 2]! += s12;
  out[offset + 2 * stride]! += s20;
  out[offset + 2 * stride + 1]! += s21;
  out[offset + 2 * stride + 2]! += s22;
}
