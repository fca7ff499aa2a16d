// What is computed once per row: hash, norm, int16 values and the bounds of their error.

import { scan as scanAt } from './equal-rows';
import {
  A, AT, BAD, center, centered, centerNorm, COSINE, DOT, EUCLIDEAN, GH, GN, GROUP, H, hashes, inverseUnit, isMutual, k, LARGER, largest,
  LEN, LISTS, metric, N, PANEL, Q, RESIDUAL, rowAt, S, split, squared, steps, stride, tiny, U, unit, X,
} from './layout';
import { valueOf } from './lists';
import { lowerWord, raiseWord } from './words';

/** 2^-100: with smaller scales, products of two scales would leave the range of float32. */
const MIN_SCALE: f64 = 7.888609052210118e-31;
/** 2^-18. */
const ROUNDING: f64 = 3.814697265625e-6;
/** 2^-120: far above the spacing of float32 numbers near 0. */
const SMALLEST: f64 = 7.52316384526264e-37;

/** Hash and |x|² of rows [first, end). */
export function scan(first: i32, end: i32, _: i32): void {
  const source = X + ((<usize>first * stride) << 2);
  const bad = scanAt(source, stride, end - first, hashes + (<usize>first << 4), squared + (<usize>first << 3));
  if (bad >= 0) lowerWord(BAD, first + bad);
}

/** |x - center|² of rows [first, end). */
export function measure(first: i32, end: i32, _: i32): void {
  for (let row = first; row < end; row++) {
    let p = X + ((<usize>row * stride) << 2);
    let sum = f64x2.splat(0);
    for (let c = center, end = center + (<usize>stride << 3); c < end; c += 16, p += 8) {
      const y = f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(p)), v128.load(c));
      sum = f64x2.add(sum, f64x2.mul(y, y));
    }
    store<f64>(centered + (<usize>row << 3), f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  }
}

/** Scale, int16 values and bounds of positions [first, end), which are whole groups. */
export function quantize(first: i32, end: i32, _: i32): void {
  let worst: f64 = 0;
  for (let position = first; position < end; position++) worst = max(worst, quantizeRow(position));
  for (let group = first / GROUP; group < end / GROUP; group++) {
    let norm: f32 = 0;
    let rest: f32 = 0;
    for (let position = group * GROUP; position < (group + 1) * GROUP; position++) {
      norm = max(norm, load<f32>(N + (<usize>position << 2)));
      rest = max(rest, load<f32>(H + (<usize>position << 2)));
    }
    store<f32>(GN + (<usize>group << 2), norm);
    store<f32>(GH + (<usize>group << 2), rest);
  }
  raiseWord(RESIDUAL, <i32>ceil(worst * 1073741824));
}

/** Returns the residual as a share of the norm. */
function quantizeRow(position: i32): f64 {
  const o = <usize>position << 2;
  const row = load<i32>(rowAt + o);
  let q = Q + (((<usize>(position / PANEL) * steps) * PANEL + (position % PANEL)) << 2);
  store<i32>(LEN + o, 0);
  store<i32>(LARGER + o, 0);
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
    const y = centeredPair(x, c, factor);
    products = f64x2.add(products, f64x2.mul(y, v128.load(center + (<usize>c << 3))));
    big = f64x2.max(big, f64x2.abs(y));
    sums = f64x2.add(sums, f64x2.mul(y, y));
  }
  const norm = Math.sqrt(f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1));
  const top = max(f64x2.extract_lane(big, 0), f64x2.extract_lane(big, 1));
  // |q| < 2^15.5 keeps every partial sum of a product inside int32 (Cauchy-Schwarz); rounding adds at most half a step per column.
  const reach = 46339 - 0.5 * Math.sqrt(<f64>stride);
  const scale = <f64><f32>max(max(norm / reach, top / 32767), MIN_SCALE);
  const inverse = f64x2.splat(1 / scale);
  const scales = f64x2.splat(scale);
  let errors = f64x2.splat(0);
  for (let c = 0; c < stride; c += 2, q += PANEL << 2) {
    const y = centeredPair(x, c, factor);
    const v = f64x2.nearest(f64x2.mul(y, inverse));
    const e = f64x2.sub(y, f64x2.mul(v, scales));
    errors = f64x2.add(errors, f64x2.mul(e, e));
    const pair = i32x4.trunc_sat_f64x2_s_zero(v);
    store<i16>(q, <i16>i32x4.extract_lane(pair, 0));
    store<i16>(q, <i16>i32x4.extract_lane(pair, 1), 2);
  }
  const residual = Math.sqrt(f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1));
  // Larger than the norm only if the scale is MIN_SCALE, so that the residual stays a small share of it.
  const n = max(norm, scale * 32767);
  store<f32>(S + o, <f32>scale);
  const product = f64x2.extract_lane(products, 0) + f64x2.extract_lane(products, 1);
  // -x · y = -(x - c) · (y - c) - c · x - c · y + |c|², and c · x = c · (x - c) + |c|².
  const half = metric == EUCLIDEAN ? norm * norm * 0.5 : -product - centerNorm * centerNorm * 0.5;
  store<f32>(A + o, <f32>half);
  store<f32>(N + o, <f32>(n * 1.000001));
  // 2^-19 (|x| + |y|)² covers all roundings to float32; the rest covers underflow.
  const size = metric == EUCLIDEAN ? n : n + 2 * centerNorm;
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

@inline
function centeredPair(x: usize, c: i32, factor: f64): v128 {
  const y = f64x2.promote_low_f32x4(v128.load64_zero(x + (<usize>c << 2)));
  return f64x2.sub(f64x2.mul(y, f64x2.splat(factor)), v128.load(center + (<usize>c << 3)));
}

/** Whether a distance of the row can overflow float32. Such distances are all equal, and the bound cannot order them. */
function mayOverflow(n: f64): bool {
  const limit = <f64>f32.MAX_VALUE * 0.999;
  if (metric == EUCLIDEAN) return (n + largest) * inverseUnit > limit;
  return metric == DOT && n * largest * inverseUnit * inverseUnit > limit;
}

/** An upper bound of the k-th nearest value from the list of neighbors so far, in scaled units. */
function startBound(position: i32): f32 {
  const last = load<u64>(LISTS + ((<usize>position * k + (k - 1)) << 3));
  if (last == u64.MAX_VALUE) return f32.POSITIVE_INFINITY;
  const d = <f64>valueOf(last);
  if (d == -f64.POSITIVE_INFINITY) return f32.NEGATIVE_INFINITY;
  let t = metric == EUCLIDEAN ? d * d * 0.5 * unit * unit : metric == DOT ? d * unit * unit : d - 1;
  t += abs(t) * 2.384185791015625e-7 + SMALLEST;
  return <f32>t;
}
