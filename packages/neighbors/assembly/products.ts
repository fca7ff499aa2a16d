// Inner products of all pairs between two groups of int16 rows, for rows of any width.

/** int16 values a step: rows are read in stretches that stay in the caches while every pair of them is summed. */
const stretch: usize = 1024;

/** The sum of the four lanes. */
// @ts-ignore: decorator
@inline
function total(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

// @ts-ignore: decorator
@inline
function add(at: usize, sum: v128): void {
  store<i32>(at, load<i32>(at) + total(sum));
}

/**
 * out[i][j] = row i of `x` times row j of `y`, int32, `yRows` a line. Rows are `width` int16 (a multiple of 8, zeros behind the last
 * column) from addresses that are multiples of 16; `xRows` is a multiple of 4 and `yRows` of 2. |q| < 2^15.5 keeps every sum whole.
 */
export function products(x: usize, xRows: usize, y: usize, yRows: usize, width: usize, out: usize): void {
  memory.fill(out, 0, (xRows * yRows) << 2);
  const row = width << 1;
  const line = yRows << 2;
  for (let from: usize = 0; from < width; from += stretch) {
    const length: usize = min(stretch, width - from) << 1;
    for (let i: usize = 0; i < xRows; i += 4) {
      const first = x + i * row + (from << 1);
      for (let j: usize = 0; j < yRows; j += 2) {
        let a0 = i32x4.splat(0);
        let a1 = i32x4.splat(0);
        let b0 = i32x4.splat(0);
        let b1 = i32x4.splat(0);
        let c0 = i32x4.splat(0);
        let c1 = i32x4.splat(0);
        let d0 = i32x4.splat(0);
        let d1 = i32x4.splat(0);
        let a = first;
        let b = a + row;
        let c = b + row;
        let d = c + row;
        let p = y + j * row + (from << 1);
        let q = p + row;
        for (const end = p + length; p < end; p += 16) {
          const s = v128.load(p);
          const t = v128.load(q);
          let u = v128.load(a);
          a0 = i32x4.add(a0, i32x4.dot_i16x8_s(u, s));
          a1 = i32x4.add(a1, i32x4.dot_i16x8_s(u, t));
          u = v128.load(b);
          b0 = i32x4.add(b0, i32x4.dot_i16x8_s(u, s));
          b1 = i32x4.add(b1, i32x4.dot_i16x8_s(u, t));
          u = v128.load(c);
          c0 = i32x4.add(c0, i32x4.dot_i16x8_s(u, s));
          c1 = i32x4.add(c1, i32x4.dot_i16x8_s(u, t));
          u = v128.load(d);
          d0 = i32x4.add(d0, i32x4.dot_i16x8_s(u, s));
          d1 = i32x4.add(d1, i32x4.dot_i16x8_s(u, t));
          q += 16;
          a += 16;
          b += 16;
          c += 16;
          d += 16;
        }
        let at = out + i * line + (j << 2);
        add(at, a0);
        add(at + 4, a1);
        at += line;
        add(at, b0);
        add(at + 4, b1);
        at += line;
        add(at, c0);
        add(at + 4, c1);
        at += line;
        add(at, d0);
        add(at + 4, d1);
      }
    }
  }
}
