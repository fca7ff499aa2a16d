import { addUp, exp1, exp4 } from './lanes';

/**
 * out = softmax(scores · scale + bias) per row. scores and out are [batch, heads, length, columns], bias is
 * [batch, length, columns].
 */
export function attentionShares(
  scores: usize, bias: usize, batch: i32, heads: i32, length: i32, columns: i32, scale: f32, out: usize,
): void {
  const row = <usize>columns << 2;
  for (let item = 0; item < batch; item++) {
    for (let head = 0; head < heads; head++) {
      let own = bias;
      for (let position = 0; position < length; position++) {
        softmaxRow(scores, own, columns, scale, out);
        scores += row;
        out += row;
        own += row;
      }
    }
    bias += <usize>length * row;
  }
}

function softmaxRow(scores: usize, bias: usize, columns: i32, scale: f32, out: usize): void {
  const row = <usize>columns << 2;
  const whole = <usize>(columns & ~3) << 2;
  const scales = f32x4.splat(scale);
  let most = f32x4.splat(-Infinity);
  let at: usize = 0;
  for (; at < whole; at += 16) {
    const score = f32x4.add(f32x4.mul(v128.load(scores + at), scales), v128.load(bias + at));
    v128.store(out + at, score);
    most = f32x4.pmax(most, score);
  }
  let top: f32 = -Infinity;
  for (let lane = 0; lane < 4; lane++) {
    top = max(top, f32x4.extract_lane(most, 0));
    most = i8x16.shuffle(most, most, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
  }
  for (; at < row; at += 4) {
    const score = load<f32>(scores + at) * scale + load<f32>(bias + at);
    store<f32>(out + at, score);
    top = max(top, score);
  }

  const tops = f32x4.splat(top);
  let total: f64 = 0;
  for (at = 0; at < whole; ) {
    let totals = f32x4.splat(0);
    for (const stop = min(whole, at + 256); at < stop; at += 16) {
      const power = exp4(f32x4.sub(v128.load(out + at), tops));
      v128.store(out + at, power);
      totals = f32x4.add(totals, power);
    }
    total += addUp(totals);
  }
  for (; at < row; at += 4) {
    const power = exp1(load<f32>(out + at) - top);
    store<f32>(out + at, power);
    total += power;
  }

  const share = <f32>(1 / total);
  const factors = f32x4.splat(share);
  for (at = 0; at < whole; at += 16) v128.store(out + at, f32x4.mul(v128.load(out + at), factors));
  for (; at < row; at += 4) store<f32>(out + at, load<f32>(out + at) * share);
}

/** The gradient of the scores per row: scale · shares · (dy - sum of dy · shares). */
export function attentionSharesGradient(
  dy: usize, shares: usize, rows: i32, columns: i32, scale: f32, out: usize,
): void {
  const row = <usize>columns << 2;
  const whole = <usize>(columns & ~3) << 2;
  for (let index = 0; index < rows; index++) {
    let sum: f64 = 0;
    let at: usize = 0;
    while (at < whole) {
      let sums = f32x4.splat(0);
      for (const stop = min(whole, at + 256); at < stop; at += 16) {
        sums = f32x4.add(sums, f32x4.mul(v128.load(dy + at), v128.load(shares + at)));
      }
      sum += addUp(sums);
    }
    for (; at < row; at += 4) sum += load<f32>(dy + at) * load<f32>(shares + at);

    const mean = <f32>sum;
    const means = f32x4.splat(mean);
    const scales = f32x4.splat(scale);
    for (at = 0; at < whole; at += 16) {
      const change = f32x4.sub(v128.load(dy + at), means);
      v128.store(out + at, f32x4.mul(f32x4.mul(v128.load(shares + at), change), scales));
    }
    for (; at < row; at += 4) store<f32>(out + at, load<f32>(shares + at) * (load<f32>(dy + at) - mean) * scale);
    dy += row;
    shares += row;
    out += row;
  }
}
