import { addUp, exp1, exp4 } from './lanes';

/**
 * Per row of logits / temperature, three float64 numbers: the largest one, top; the sum of exp(x - top); and the sum of
 * exp(x - top) · (x - top).
 */
export function rowStatistics(logits: usize, rows: i32, words: i32, temperature: f32, out: usize): void {
  const scale = f32x4.splat(temperature);
  for (let row = 0; row < rows; row++) {
    const wholeEnd = logits + (<usize>(words & ~3) << 2);
    const end = logits + (<usize>words << 2);
    let most = f32x4.splat(-Infinity);
    for (let at = logits; at < wholeEnd; at += 16) most = f32x4.pmax(most, v128.load(at));
    let top: f32 = -Infinity;
    for (let lane = 0; lane < 4; lane++) {
      top = max(top, f32x4.extract_lane(most, 0));
      most = i8x16.shuffle(most, most, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
    }
    for (let at = wholeEnd; at < end; at += 4) top = max(top, load<f32>(at));
    top /= temperature;

    const tops = f32x4.splat(top);
    let total: f64 = 0;
    let weighted: f64 = 0;
    let at = logits;
    while (at < wholeEnd) {
      // float32 for 64 numbers at a time: the sum of a row of any length is then exact to float32 rounding
      let totals = f32x4.splat(0);
      let products = f32x4.splat(0);
      for (const stop = min(wholeEnd, at + 256); at < stop; at += 16) {
        const below = f32x4.sub(f32x4.div(v128.load(at), scale), tops);
        const power = exp4(below);
        totals = f32x4.add(totals, power);
        products = f32x4.add(products, f32x4.mul(power, below));
      }
      total += addUp(totals);
      weighted += addUp(products);
    }
    for (; at < end; at += 4) {
      const below = load<f32>(at) / temperature - top;
      const power = exp1(below);
      total += power;
      weighted += power * below;
    }
    store<f64>(out, top);
    store<f64>(out, total, 8);
    store<f64>(out, weighted, 16);
    out += 24;
    logits = end;
  }
}

/**
 * out = slope · (onehot(id) - softmax) per row, where slope = dy / temperature and log softmax = logits / temperature - normalizer.
 * ids are int32 in [0, words).
 */
export function logProbabilityGradient(
  dy: usize, logits: usize, ids: usize, normalizers: usize,
  rows: i32, words: i32, temperature: f32, out: usize,
): void {
  const scale = f32x4.splat(temperature);
  for (let row = 0; row < rows; row++) {
    const offset = <usize>row << 2;
    const slope = load<f32>(dy + offset) / temperature;
    const normalizer = load<f32>(normalizers + offset);
    const slopes = f32x4.splat(-slope);
    const tops = f32x4.splat(normalizer);
    const wholeEnd = logits + (<usize>(words & ~3) << 2);
    const end = logits + (<usize>words << 2);
    const own = <usize>load<u32>(ids + offset) << 2;
    const share = exp1(load<f32>(logits + own) / temperature - normalizer);
    const first = out;
    for (; logits < wholeEnd; logits += 16) {
      v128.store(out, f32x4.mul(slopes, exp4(f32x4.sub(f32x4.div(v128.load(logits), scale), tops))));
      out += 16;
    }
    for (; logits < end; logits += 4) {
      store<f32>(out, -slope * exp1(load<f32>(logits) / temperature - normalizer));
      out += 4;
    }
    store<f32>(first + own, slope * (1 - share));
  }
}
