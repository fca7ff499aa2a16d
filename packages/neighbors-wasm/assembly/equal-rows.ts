// One pass over rows: whether they are finite, a hash that is equal for equal rows, and their squares.

import { mix64 } from './keys';

/**
 * Scans `count` float32 rows of `stride` columns, a multiple of 8, from address `source`. Writes two 64-bit hashes per row to
 * `hashes`, with -0 hashed as 0, and x · x by the canonical sum to `squares`.
 * @returns the first row with a NaN or infinity, where it stops, or -1
 */
export function scan(source: usize, stride: i32, count: i32, hashes: usize, squares: usize): i32 {
  const exponent = i32x4.splat(0x7f800000);
  const minusZero = i32x4.splat(0x80000000);
  for (let row = 0; row < count; row++) {
    let notFinite = i32x4.splat(0);
    let g: u64 = 0x243f6a8885a308d3;
    let h: u64 = 0x13198a2e03707344;
    let a = f64x2.splat(0);
    let b = f64x2.splat(0);
    let c = f64x2.splat(0);
    let d = f64x2.splat(0);
    for (const end = source + (<usize>stride << 2); source < end; source += 32) {
      const x = v128.load(source);
      const y = v128.load(source, 16);
      notFinite = v128.or(notFinite, i32x4.eq(v128.and(x, exponent), exponent));
      notFinite = v128.or(notFinite, i32x4.eq(v128.and(y, exponent), exponent));
      const p = v128.andnot(x, i32x4.eq(x, minusZero));
      const q = v128.andnot(y, i32x4.eq(y, minusZero));
      g = absorb(absorb(g, i64x2.extract_lane(p, 0), 0x9e3779b97f4a7c15), i64x2.extract_lane(p, 1), 0x9e3779b97f4a7c15);
      h = absorb(absorb(h, i64x2.extract_lane(p, 0), 0xc2b2ae3d27d4eb4f), i64x2.extract_lane(p, 1), 0xc2b2ae3d27d4eb4f);
      g = absorb(absorb(g, i64x2.extract_lane(q, 0), 0x9e3779b97f4a7c15), i64x2.extract_lane(q, 1), 0x9e3779b97f4a7c15);
      h = absorb(absorb(h, i64x2.extract_lane(q, 0), 0xc2b2ae3d27d4eb4f), i64x2.extract_lane(q, 1), 0xc2b2ae3d27d4eb4f);
      a = f64x2.add(a, square(f64x2.promote_low_f32x4(x)));
      b = f64x2.add(b, square(f64x2.promote_low_f32x4(v128.load64_zero(source + 8))));
      c = f64x2.add(c, square(f64x2.promote_low_f32x4(y)));
      d = f64x2.add(d, square(f64x2.promote_low_f32x4(v128.load64_zero(source + 24))));
    }
    if (v128.any_true(notFinite)) return row;
    store<u64>(hashes + (<usize>row << 4), mix64(g));
    store<u64>(hashes + (<usize>row << 4), mix64(h), 8);
    const sum = f64x2.add(f64x2.add(a, c), f64x2.add(b, d));
    store<f64>(squares + (<usize>row << 3), f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  }
  return -1;
}

@inline
function square(x: v128): v128 {
  return f64x2.mul(x, x);
}

@inline
function absorb(state: u64, word: u64, factor: u64): u64 {
  const product = (state ^ word) * factor;
  return product ^ (product >> 32);
}
