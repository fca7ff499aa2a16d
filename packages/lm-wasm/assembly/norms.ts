import { addLanes, high64, low64 } from './lanes';

/**
 * Per row of x [rows, width]: out = normed · weight + bias with normed = (x - mean) · inverse and
 * inverse = 1 / √(variance + epsilon). Mean and variance are added up in float64. Writes the mean and the inverse of each row to
 * `statistics` [rows, 2].
 */
export function layerNorm(
  x: usize, weight: usize, bias: usize, rows: i32, width: i32, epsilon: f64, out: usize, statistics: usize,
): void {
  const row = <usize>width << 2;
  const whole = <usize>(width & ~3) << 2;
  for (let index = 0; index < rows; index++) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const values = v128.load(x + at);
      low = f64x2.add(low, low64(values));
      high = f64x2.add(high, high64(values));
    }
    let sum = addLanes(f64x2.add(low, high));
    for (; at < row; at += 4) sum += load<f32>(x + at);
    const mean = <f32>(sum / width);

    const means = f32x4.splat(mean);
    low = f64x2.splat(0);
    high = f64x2.splat(0);
    for (at = 0; at < whole; at += 16) {
      const centered = f32x4.sub(v128.load(x + at), means);
      const square = f32x4.mul(centered, centered);
      low = f64x2.add(low, low64(square));
      high = f64x2.add(high, high64(square));
    }
    let squares = addLanes(f64x2.add(low, high));
    for (; at < row; at += 4) {
      const centered = load<f32>(x + at) - mean;
      squares += centered * centered;
    }
    const inverse = <f32>(1 / sqrt<f64>(squares / width + epsilon));

    const inverses = f32x4.splat(inverse);
    for (at = 0; at < whole; at += 16) {
      const normed = f32x4.mul(f32x4.sub(v128.load(x + at), means), inverses);
      v128.store(out + at, f32x4.add(f32x4.mul(normed, v128.load(weight + at)), v128.load(bias + at)));
    }
    for (; at < row; at += 4) {
      const normed = (load<f32>(x + at) - mean) * inverse;
      store<f32>(out + at, normed * load<f32>(weight + at) + load<f32>(bias + at));
    }
    store<f32>(statistics, mean);
    store<f32>(statistics, inverse, 4);
    statistics += 8;
    x += row;
    out += row;
  }
}

/**
 * The gradients of {@link layerNorm}: of x per row, inverse · (slope - mean of slope - normed · mean of slope · normed) with
 * slope = dy · weight; of the weight, the sum of dy · normed over the rows; of the bias, the sum of dy.
 * @param sums scratch: 2 · width float64 numbers
 */
export function layerNormGradient(
  dy: usize, x: usize, statistics: usize, weight: usize, rows: i32, width: i32,
  dx: usize, dWeight: usize, dBias: usize, sums: usize,
): void {
  const row = <usize>width << 2;
  const whole = <usize>(width & ~3) << 2;
  const biasSums = sums + (row << 1);
  memory.fill(sums, 0, row << 2);
  for (let index = 0; index < rows; index++) {
    const mean = load<f32>(statistics);
    const inverse = load<f32>(statistics, 4);
    const means = f32x4.splat(mean);
    const inverses = f32x4.splat(inverse);
    let slopeSums = f64x2.splat(0);
    let productSums = f64x2.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const change = v128.load(dy + at);
      const normed = f32x4.mul(f32x4.sub(v128.load(x + at), means), inverses);
      const slope = f32x4.mul(change, v128.load(weight + at));
      const product = f32x4.mul(slope, normed);
      slopeSums = f64x2.add(slopeSums, f64x2.add(low64(slope), high64(slope)));
      productSums = f64x2.add(productSums, f64x2.add(low64(product), high64(product)));
      add64(sums + (at << 1), f32x4.mul(change, normed));
      add64(biasSums + (at << 1), change);
    }
    let slopeSum = addLanes(slopeSums);
    let productSum = addLanes(productSums);
    for (; at < row; at += 4) {
      const change = load<f32>(dy + at);
      const normed = (load<f32>(x + at) - mean) * inverse;
      const slope = change * load<f32>(weight + at);
      slopeSum += slope;
      productSum += slope * normed;
      const to = sums + (at << 1);
      store<f64>(to, load<f64>(to) + change * normed);
      store<f64>(biasSums + (at << 1), load<f64>(biasSums + (at << 1)) + change);
    }
    const slopeMean = <f32>(slopeSum / width);
    const productMean = <f32>(productSum / width);

    const slopeMeans = f32x4.splat(slopeMean);
    const productMeans = f32x4.splat(productMean);
    for (at = 0; at < whole; at += 16) {
      const normed = f32x4.mul(f32x4.sub(v128.load(x + at), means), inverses);
      const slope = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
      const inner = f32x4.sub(f32x4.sub(slope, slopeMeans), f32x4.mul(normed, productMeans));
      v128.store(dx + at, f32x4.mul(inner, inverses));
    }
    for (; at < row; at += 4) {
      const normed = (load<f32>(x + at) - mean) * inverse;
      const slope = load<f32>(dy + at) * load<f32>(weight + at);
      store<f32>(dx + at, (slope - slopeMean - normed * productMean) * inverse);
    }
    statistics += 8;
    dy += row;
    x += row;
    dx += row;
  }
  for (let at: usize = 0; at < row; at += 4) {
    store<f32>(dWeight + at, <f32>load<f64>(sums + (at << 1)));
    store<f32>(dBias + at, <f32>load<f64>(biasSums + (at << 1)));
  }
}

/** Adds four float32 numbers to four float64 sums. */
// @ts-ignore: decorator
@inline
function add64(to: usize, values: v128): void {
  v128.store(to, f64x2.add(v128.load(to), low64(values)));
  v128.store(to, f64x2.add(v128.load(to, 16), high64(values)), 16);
}

/**
 * Per row of x [rows, width]: out = x · inverse · weight with inverse = 1 / √(mean of x² + epsilon), added up in float64; a weight
 * at address 0 is 1. Writes the inverse of each row to `inverses` [rows].
 */
export function rmsNorm(
  x: usize, weight: usize, rows: i32, width: i32, epsilon: f64, out: usize, inverses: usize,
): void {
  const row = <usize>width << 2;
  const whole = <usize>(width & ~3) << 2;
  for (let index = 0; index < rows; index++) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const values = v128.load(x + at);
      const square = f32x4.mul(values, values);
      low = f64x2.add(low, low64(square));
      high = f64x2.add(high, high64(square));
    }
    let squares = addLanes(f64x2.add(low, high));
    for (; at < row; at += 4) squares += load<f32>(x + at) * load<f32>(x + at);
    const inverse = <f32>(1 / sqrt<f64>(squares / width + epsilon));

    const factors = f32x4.splat(inverse);
    for (at = 0; at < whole; at += 16) {
      const normed = f32x4.mul(v128.load(x + at), factors);
      v128.store(out + at, weight == 0 ? normed : f32x4.mul(normed, v128.load(weight + at)));
    }
    for (; at < row; at += 4) {
      const normed = load<f32>(x + at) * inverse;
      store<f32>(out + at, weight == 0 ? normed : normed * load<f32>(weight + at));
    }
    store<f32>(inverses, inverse);
    inverses += 4;
    x += row;
    out += row;
  }
}

/**
 * The gradients of {@link rmsNorm}: of x per row, inverse · (slope - normed · mean of slope · normed), slope = dy · weight; of the
 * weight, if there is one, the sum of dy · normed over the rows.
 * @param sums scratch: width float64 numbers
 */
export function rmsNormGradient(
  dy: usize, x: usize, inverses: usize, weight: usize, rows: i32, width: i32, dx: usize, dWeight: usize, sums: usize,
): void {
  const row = <usize>width << 2;
  const whole = <usize>(width & ~3) << 2;
  memory.fill(sums, 0, row << 1);
  for (let index = 0; index < rows; index++) {
    const inverse = load<f32>(inverses);
    const factors = f32x4.splat(inverse);
    let productSums = f64x2.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const change = f32x4.mul(v128.load(dy + at), f32x4.mul(v128.load(x + at), factors));
      const product = weight == 0 ? change : f32x4.mul(change, v128.load(weight + at));
      productSums = f64x2.add(productSums, f64x2.add(low64(product), high64(product)));
      if (weight != 0) add64(sums + (at << 1), change);
    }
    let productSum = addLanes(productSums);
    for (; at < row; at += 4) {
      const change = load<f32>(dy + at) * (load<f32>(x + at) * inverse);
      productSum += weight == 0 ? change : change * load<f32>(weight + at);
      const to = sums + (at << 1);
      store<f64>(to, load<f64>(to) + change);
    }
    const productMean = <f32>(productSum / width);

    const productMeans = f32x4.splat(productMean);
    for (at = 0; at < whole; at += 16) {
      const change = v128.load(dy + at);
      const slope = weight == 0 ? change : f32x4.mul(change, v128.load(weight + at));
      const normed = f32x4.mul(v128.load(x + at), factors);
      v128.store(dx + at, f32x4.mul(f32x4.sub(slope, f32x4.mul(normed, productMeans)), factors));
    }
    for (; at < row; at += 4) {
      const change = load<f32>(dy + at);
      const slope = weight == 0 ? change : change * load<f32>(weight + at);
      store<f32>(dx + at, (slope - load<f32>(x + at) * inverse * productMean) * inverse);
    }
    inverses += 4;
    dy += row;
    x += row;
    dx += row;
  }
  if (weight == 0) return;
  for (let at: usize = 0; at < row; at += 4) store<f32>(dWeight + at, <f32>load<f64>(sums + (at << 1)));
}
