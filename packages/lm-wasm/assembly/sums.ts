import { addLanes, high64, low64, narrow } from './lanes';

/** out[row] = sum of `count` adjacent numbers / divisor, added up in float64. */
export function rowSums(x: usize, rows: i32, count: i32, divisor: f64, out: usize): void {
  for (let row = 0; row < rows; row++) {
    const wholeEnd = x + (<usize>(count & ~3) << 2);
    const end = x + (<usize>count << 2);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (; x < wholeEnd; x += 16) {
      const values = v128.load(x);
      low = f64x2.add(low, low64(values));
      high = f64x2.add(high, high64(values));
    }
    let sum = addLanes(f64x2.add(low, high));
    for (; x < end; x += 4) sum += load<f32>(x);
    store<f32>(out, <f32>(sum / divisor));
    out += 4;
  }
}

/** Sums of the columns of consecutive blocks [count, width] / divisor, added up in float64: one row of `out` per block. */
export function columnSums(x: usize, blocks: i32, count: i32, width: i32, divisor: f64, out: usize): void {
  const row = <usize>width << 2;
  const divisors = f64x2.splat(divisor);
  for (let block = 0; block < blocks; block++) {
    let column = 0;
    for (; column + 8 <= width; column += 8) {
      let a = f64x2.splat(0);
      let b = f64x2.splat(0);
      let c = f64x2.splat(0);
      let d = f64x2.splat(0);
      let from = x + (<usize>column << 2);
      for (let i = 0; i < count; i++) {
        const left = v128.load(from);
        const right = v128.load(from, 16);
        a = f64x2.add(a, low64(left));
        b = f64x2.add(b, high64(left));
        c = f64x2.add(c, low64(right));
        d = f64x2.add(d, high64(right));
        from += row;
      }
      const to = out + (<usize>column << 2);
      v128.store(to, narrow(f64x2.div(a, divisors), f64x2.div(b, divisors)));
      v128.store(to, narrow(f64x2.div(c, divisors), f64x2.div(d, divisors)), 16);
    }
    for (; column < width; column++) {
      let sum: f64 = 0;
      let from = x + (<usize>column << 2);
      for (let i = 0; i < count; i++) {
        sum += load<f32>(from);
        from += row;
      }
      store<f32>(out + (<usize>column << 2), <f32>(sum / divisor));
    }
    x += <usize>count * row;
    out += row;
  }
}

/** Sum of the squares of `size` numbers, added up in float64. */
export function sumOfSquares(x: usize, size: i32): f64 {
  const wholeEnd = x + (<usize>(size & ~3) << 2);
  const end = x + (<usize>size << 2);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; x < wholeEnd; x += 16) {
    const values = v128.load(x);
    const first = low64(values);
    const last = high64(values);
    low = f64x2.add(low, f64x2.mul(first, first));
    high = f64x2.add(high, f64x2.mul(last, last));
  }
  let sum = addLanes(f64x2.add(low, high));
  for (; x < end; x += 4) {
    const value = <f64>load<f32>(x);
    sum += value * value;
  }
  return sum;
}
