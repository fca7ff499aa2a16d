/**
 * exp(x) of four numbers ≤ 88, to 2 units in the last place (the polynomial of expf in Cephes, Moshier 1992). 0 below -87.3, where
 * the results are denormal numbers; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const lowest = f32x4.splat(-87.3);
  const clamped = f32x4.pmax(x, lowest);
  // Adding 1.5 · 2^23 rounds to an integer and leaves it in the low bits.
  const magic = f32x4.splat(12582912);
  const shifted = f32x4.add(f32x4.mul(clamped, f32x4.splat(1.44269504088896341)), magic);
  const n = f32x4.sub(shifted, magic);
  // x - n · ln 2 in two parts, so that the first product is exact
  let r = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let y = f32x4.add(f32x4.mul(r, f32x4.splat(1.9875691500e-4)), f32x4.splat(1.3981999507e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23); // the bits of 2^n
  return v128.andnot(f32x4.mul(y, power), f32x4.lt(x, lowest));
}

/** The same for one number. */
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** Sum of four float32 numbers in float64. */
// @ts-ignore: decorator
@inline
export function addUp(x: v128): f64 {
  return addLanes(f64x2.add(low64(x), high64(x)));
}

/** Sum of two float64 numbers. */
// @ts-ignore: decorator
@inline
export function addLanes(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

/** The first two of four float32 numbers in float64. */
// @ts-ignore: decorator
@inline
export function low64(x: v128): v128 {
  return f64x2.promote_low_f32x4(x);
}

/** The last two of four float32 numbers in float64. */
// @ts-ignore: decorator
@inline
export function high64(x: v128): v128 {
  return f64x2.promote_low_f32x4(i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
}

/** Two pairs of float64 numbers as four float32 numbers. */
// @ts-ignore: decorator
@inline
export function narrow(low: v128, high: v128): v128 {
  const first = f32x4.demote_f64x2_zero(low);
  const last = f32x4.demote_f64x2_zero(high);
  return i8x16.shuffle(first, last, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}
