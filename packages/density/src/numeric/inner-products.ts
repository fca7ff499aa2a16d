/**
 * Writes the inner products of rows of `x` with rows of `y`, `cols` columns each, into `out` (xRows x yRows, row-major). Each is a
 * float64 sum in the order of the columns, so equal rows give equal bits.
 */
export function innerProducts(
  x: Float32Array,
  xStart: number,
  xRows: number,
  y: Float32Array,
  yStart: number,
  yRows: number,
  cols: number,
  out: Float64Array,
): void {
  for (let i = 0; i < xRows; i += 4) {
    // Rows past the last repeat the last one and overwrite its results with the same values.
    const i1 = Math.min(i + 1, xRows - 1);
    const i2 = Math.min(i + 2, xRows - 1);
    const i3 = Math.min(i + 3, xRows - 1);
    const a = (xStart + i) * cols;
    const b = (xStart + i1) * cols;
    const c = (xStart + i2) * cols;
    const d = (xStart + i3) * cols;
    for (let j = 0; j < yRows; j += 2) {
      const j1 = Math.min(j + 1, yRows - 1);
      const p = (yStart + j) * cols;
      const q = (yStart + j1) * cols;
      let a0 = 0;
      let a1 = 0;
      let b0 = 0;
      let b1 = 0;
      let c0 = 0;
      let c1 = 0;
      let d0 = 0;
      let d1 = 0;
      for (let col = 0; col < cols; col++) {
        const y0 = y[p + col]!;
        const y1 = y[q + col]!;
        const xa = x[a + col]!;
        a0 += xa * y0;
        a1 += xa * y1;
        const xb = x[b + col]!;
        b0 += xb * y0;
        b1 += xb * y1;
        const xc = x[c + col]!;
        c0 += xc * y0;
        c1 += xc * y1;
        const xd = x[d + col]!;
        d0 += xd * y0;
        d1 += xd * y1;
      }
      out[i * yRows + j] = a0;
      out[i * yRows + j1] = a1;
      out[i1 * yRows + j] = b0;
      out[i1 * yRows + j1] = b1;
      out[i2 * yRows + j] = c0;
      out[i2 * yRows + j1] = c1;
      out[i3 * yRows + j] = d0;
      out[i3 * yRows + j1] = d1;
    }
  }
}

/** Squared length of each row, bit-equal to {@link innerProducts} of the row with itself. */
export function squaredLengths(data: Float32Array, rows: number, cols: number): Float64Array {
  const lengths = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let index = row * cols; index < (row + 1) * cols; index++) sum += data[index]! * data[index]!;
    lengths[row] = sum;
  }
  return lengths;
}

/** One inner product, in four partial sums; its last bits may differ from {@link innerProducts}. */
export function innerProduct(x: Float32Array, xStart: number, y: Float32Array, yStart: number, cols: number): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  let col = 0;
  for (; col + 3 < cols; col += 4) {
    sum0 += x[xStart + col]! * y[yStart + col]!;
    sum1 += x[xStart + col + 1]! * y[yStart + col + 1]!;
    sum2 += x[xStart + col + 2]! * y[yStart + col + 2]!;
    sum3 += x[xStart + col + 3]! * y[yStart + col + 3]!;
  }
  for (; col < cols; col++) sum0 += x[xStart + col]! * y[yStart + col]!;
  return sum0 + sum1 + (sum2 + sum3);
}
