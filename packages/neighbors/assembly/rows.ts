// What is computed once a row: hash, norm, int16 values and the bounds of their error.

import { innerProduct } from './canonical';
import {
  A, AT, centre, centred, centreNorm, COSINE, DOT, EUCLIDEAN, GH, GN, GROUP, H, hashes, inverseUnit, isMutual, k, largest, LEN, LISTS, metric, N,
  PANEL, PLACE, Q, rowAt, S, split, squared, steps, stride, tiny, U, unit, X,
} from './layout';
import { valueOf } from './lists';

/** 2^-100: below it, products of scales leave float32's range. */
const MIN_SCALE: f64 = 7.888609052210118e-31;
/** 2^-18. */
const ROUNDING: f64 = 3.814697265625e-6;
/** 2^-120: far above the steps of float32 near 0. */
const SMALLEST: f64 = 7.52316384526264e-37;

/** Hash (-0 is 0) and |x|² of rows [first, last). Returns the first row that holds a NaN or infinity, or -1. */
export function scanRows(first: i32, last: i32): i32 {
  const exponent = i32x4.splat(0x7f800000);
  const minusZero = i32x4.splat(0x80000000);
  const factor = i32x4.splat(0x9e3779b1);
  let bad = -1;
  for (let row = first; row < last; row++) {
    let p = X + ((<usize>row * stride) << 2);
    let a = i32x4.splat(0x243f6a88);
    let b = i32x4.splat(0x13198a2e);
    let odd = i32x4.splat(0);
    for (const end = p + (<usize>stride << 2); p < end; p += 32) {
      const x = v128.load(p);
      const y = v128.load(p, 16);
      odd = v128.or(odd, i32x4.eq(v128.and(x, exponent), exponent));
      odd = v128.or(odd, i32x4.eq(v128.and(y, exponent), exponent));
      a = mix(a, v128.andnot(x, i32x4.eq(x, minusZero)), factor);
      b = mix(b, v128.andnot(y, i32x4.eq(y, minusZero)), factor);
    }
    if (bad < 0 && v128.any_true(odd)) bad = row;
    const h = hashes + (<usize>row << 3);
    store<i32>(h, fold(fold(fold(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1)), i32x4.extract_lane(b, 2)), i32x4.extract_lane(b, 3)));
    store<i32>(h, fold(fold(fold(i32x4.extract_lane(b, 0), i32x4.extract_lane(b, 1)), i32x4.extract_lane(a, 2)), i32x4.extract_lane(a, 3)), 4);
    store<f64>(squared + (<usize>row << 3), innerProduct(row, row));
  }
  return bad;
}

// @ts-ignore: decorator
@inline
function mix(h: v128, x: v128, factor: v128): v128 {
  const m = i32x4.mul(v128.xor(h, x), factor);
  return v128.xor(m, i32x4.shr_u(m, 15));
}

function fold(a: i32, b: i32): i32 {
  const m = (a ^ b) * 0x85ebca6b;
  return m ^ (m >>> 13);
}

/** |x - centre|² of rows [first, last). */
export function measureRows(first: i32, last: i32): void {
  for (let row = first; row < last; row++) {
    let p = X + ((<usize>row * stride) << 2);
    let sum = f64x2.splat(0);
    for (let c = centre, end = centre + (<usize>stride << 3); c < end; c += 16, p += 8) {
      const y = f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(p)), v128.load(c));
      sum = f64x2.add(sum, f64x2.mul(y, y));
    }
    store<f64>(centred + (<usize>row << 3), f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  }
}

/** Scale, int16 values and bounds of positions [first, last), whole groups. Returns the largest residual as a share of its row. */
export function quantise(first: i32, last: i32): f64 {
  let worst: f64 = 0;
  for (let position = first; position < last; position++) worst = max(worst, quantiseRow(position));
  for (let group = first / GROUP; group < last / GROUP; group++) {
    let norm: f32 = 0;
    let rest: f32 = 0;
    for (let position = group * GROUP; position < (group + 1) * GROUP; position++) {
      norm = max(norm, load<f32>(N + (<usize>position << 2)));
      rest = max(rest, load<f32>(H + (<usize>position << 2)));
    }
    store<f32>(GN + (<usize>group << 2), norm);
    store<f32>(GH + (<usize>group << 2), rest);
  }
  return worst;
}

function quantiseRow(position: i32): f64 {
  const o = <usize>position << 2;
  const row = load<i32>(rowAt + o);
  let q = Q + (((<usize>(position / PANEL) * steps) * PANEL + (position % PANEL)) << 2);
  store<i32>(LEN + o, 0);
  store<i32>(PLACE + o, 0);
  if (row < 0) {
    for (let step = 0; step < steps; step++, q += PANEL << 2) store<i32>(q, 0);
    store<f32>(S + o, 0);
    store<f32>(A + o, f32.POSITIVE_INFINITY);
    store<f32>(AT + o, f32.POSITIVE_INFINITY);
    store<f32>(N + o, 0);
    store<f32>(H + o, 0);
    return 0;
  }
  const x = X + ((<usize>row * stride) << 2);
  const square = load<f64>(squared + (<usize>row << 3));
  const factor = metric != COSINE ? unit : square == 0 ? 0 : 1 / Math.sqrt(square);
  let big = f64x2.splat(0);
  let sums = f64x2.splat(0);
  let products = f64x2.splat(0);
  for (let c = 0; c < stride; c += 2) {
    const y = centredPair(x, c, factor);
    products = f64x2.add(products, f64x2.mul(y, v128.load(centre + (<usize>c << 3))));
    big = f64x2.max(big, f64x2.abs(y));
    sums = f64x2.add(sums, f64x2.mul(y, y));
  }
  const norm = Math.sqrt(f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1));
  const top = max(f64x2.extract_lane(big, 0), f64x2.extract_lane(big, 1));
  // |q| < 2^15.5 keeps every partial sum of a product inside int32 (Cauchy-Schwarz); rounding adds at most half a step a column.
  const reach = 46339 - 0.5 * Math.sqrt(<f64>stride);
  const scale = <f64><f32>max(max(norm / reach, top / 32767), MIN_SCALE);
  const inverse = f64x2.splat(1 / scale);
  const scales = f64x2.splat(scale);
  let errors = f64x2.splat(0);
  for (let c = 0; c < stride; c += 2, q += PANEL << 2) {
    const y = centredPair(x, c, factor);
    const v = f64x2.nearest(f64x2.mul(y, inverse));
    const e = f64x2.sub(y, f64x2.mul(v, scales));
    errors = f64x2.add(errors, f64x2.mul(e, e));
    const pair = i32x4.trunc_sat_f64x2_s_zero(v);
    store<i16>(q, <i16>i32x4.extract_lane(pair, 0));
    store<i16>(q, <i16>i32x4.extract_lane(pair, 1), 2);
  }
  const residual = Math.sqrt(f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1));
  // Above the norm only where the scale is at its floor, so that no residual exceeds its share of it.
  const n = max(norm, scale * 32767);
  store<f32>(S + o, <f32>scale);
  const product = f64x2.extract_lane(products, 0) + f64x2.extract_lane(products, 1);
  // -x · y = -(x - c) · (y - c) - c · x - c · y + |c|², and c · x = c · (x - c) + |c|².
  const half = metric == EUCLIDEAN ? norm * norm * 0.5 : -product - centreNorm * centreNorm * 0.5;
  store<f32>(A + o, <f32>half);
  store<f32>(N + o, <f32>(n * 1.000001));
  // 2^-19 (|x| + |y|)² for all roundings to float32, and what float32 cannot hold at all.
  const size = metric == EUCLIDEAN ? n : n + 2 * centreNorm;
  const rest = metric == DOT ? tiny : tiny * n + tiny * tiny;
  store<f32>(H + o, <f32>((ROUNDING * size * size + rest) * 1.000001 + SMALLEST));
  if (position >= split && !isMutual) store<f32>(AT + o, f32.POSITIVE_INFINITY);
  else if (mayOverflow(metric == EUCLIDEAN ? n : Math.sqrt(square) * unit)) {
    store<i32>(LEN + o, -1);
    store<f32>(AT + o, f32.POSITIVE_INFINITY);
  } else {
    const start = startBound(position);
    store<f32>(U + o, start);
    store<f32>(AT + o, load<f32>(A + o) - start);
  }
  return residual / n;
}

// @ts-ignore: decorator
@inline
function centredPair(x: usize, c: i32, factor: f64): v128 {
  const y = f64x2.promote_low_f32x4(v128.load64_zero(x + (<usize>c << 2)));
  return f64x2.sub(f64x2.mul(y, f64x2.splat(factor)), v128.load(centre + (<usize>c << 3)));
}

/** Whether a distance of the row can be beyond float32, where all are equal and the bound says nothing. */
function mayOverflow(n: f64): bool {
  const limit = <f64>f32.MAX_VALUE * 0.999;
  if (metric == EUCLIDEAN) return (n + largest) * inverseUnit > limit;
  return metric == DOT && n * largest * inverseUnit * inverseUnit > limit;
}

/** What the list of neighbours so far says of the k-th nearest, in multiplied units, rounded up. */
function startBound(position: i32): f32 {
  const last = load<u64>(LISTS + ((<usize>position * k + (k - 1)) << 3));
  if (last == u64.MAX_VALUE) return f32.POSITIVE_INFINITY;
  const d = <f64>valueOf(last);
  if (d == -f64.POSITIVE_INFINITY) return f32.NEGATIVE_INFINITY;
  let t = metric == EUCLIDEAN ? d * d * 0.5 * unit * unit : metric == DOT ? d * unit * unit : d - 1;
  t += abs(t) * 2.384185791015625e-7 + SMALLEST;
  return <f32>t;
}
