// Inner products of int16 rows, for searches that rank their candidates again by the canonical distance.

let base: usize = 0;
let rowBytes: usize = 0;
let scales: usize = 0;

/**
 * Rows of `width` int16 (a multiple of 32, zeros behind the last column) lie one after the other from address `rows`, which is
 * a multiple of 16; row i stands for its int16 values times the float32 at `rowScales` + 4 i. |q| < 2^15.5 keeps int32 sums whole.
 */
export function setup(rows: usize, width: i32, rowScales: usize): void {
  base = rows;
  rowBytes = <usize>width << 1;
  scales = rowScales;
}

/** Inner product of rows i and j: the integer sum is exact, and the two scales are multiplied in float32. */
export function dot(i: i32, j: i32): f32 {
  let p = base + <usize>i * rowBytes;
  let q = base + <usize>j * rowBytes;
  const end = p + rowBytes;
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let d = i32x4.splat(0);
  for (; p < end; p += 64, q += 64) {
    a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load(p), v128.load(q)));
    b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load(p, 16), v128.load(q, 16)));
    c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load(p, 32), v128.load(q, 32)));
    d = i32x4.add(d, i32x4.dot_i16x8_s(v128.load(p, 48), v128.load(q, 48)));
  }
  a = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  const sum =
    i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3);
  return <f32>sum * load<f32>(scales + (<usize>i << 2)) * load<f32>(scales + (<usize>j << 2));
}
