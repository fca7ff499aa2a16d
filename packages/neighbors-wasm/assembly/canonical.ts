// The definition of a distance, as in src/distance/canonical-distance.ts: float64 in 8 lanes, added in a fixed order, without fused
// multiply-add, rounded once to float32.

import { COSINE, EUCLIDEAN, metric, squared, stride, X } from './layout';

function innerProduct(i: i32, j: i32): f64 {
  let p = X + ((<usize>i * stride) << 2);
  let q = X + ((<usize>j * stride) << 2);
  const end = p + (<usize>stride << 2);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let c = f64x2.splat(0);
  let d = f64x2.splat(0);
  for (; p < end; p += 32, q += 32) {
    a = f64x2.add(a, f64x2.mul(two(p, 0), two(q, 0)));
    b = f64x2.add(b, f64x2.mul(two(p, 8), two(q, 8)));
    c = f64x2.add(c, f64x2.mul(two(p, 16), two(q, 16)));
    d = f64x2.add(d, f64x2.mul(two(p, 24), two(q, 24)));
  }
  return total(a, b, c, d);
}

function squaredDifference(i: i32, j: i32): f64 {
  let p = X + ((<usize>i * stride) << 2);
  let q = X + ((<usize>j * stride) << 2);
  const end = p + (<usize>stride << 2);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let c = f64x2.splat(0);
  let d = f64x2.splat(0);
  for (; p < end; p += 32, q += 32) {
    const e = f64x2.sub(two(p, 0), two(q, 0));
    const f = f64x2.sub(two(p, 8), two(q, 8));
    const g = f64x2.sub(two(p, 16), two(q, 16));
    const h = f64x2.sub(two(p, 24), two(q, 24));
    a = f64x2.add(a, f64x2.mul(e, e));
    b = f64x2.add(b, f64x2.mul(f, f));
    c = f64x2.add(c, f64x2.mul(g, g));
    d = f64x2.add(d, f64x2.mul(h, h));
  }
  return total(a, b, c, d);
}

/** Distance of rows i and j. */
export function distance(i: i32, j: i32): f32 {
  if (metric == EUCLIDEAN) return <f32>Math.sqrt(squaredDifference(i, j));
  // Adding 0 turns -0 into 0.
  if (metric != COSINE) return <f32>(0 - innerProduct(i, j)) + 0;
  const lengths = Math.sqrt(load<f64>(squared + (<usize>i << 3)) * load<f64>(squared + (<usize>j << 3)));
  return lengths == 0 ? 1 : <f32>max<f64>(0, 1 - innerProduct(i, j) / lengths);
}

@inline
function two(p: usize, offset: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(p + offset));
}

@inline
function total(a: v128, b: v128, c: v128, d: v128): f64 {
  const s = f64x2.add(f64x2.add(a, c), f64x2.add(b, d));
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}
