import { exp4 } from './lanes';

/** out = x · sigmoid(x · (a + b · x²)) of `size` numbers. */
export function gate(x: usize, size: i32, a: f32, b: f32, out: usize): void {
  const wholeEnd = x + (<usize>(size & ~3) << 2);
  const end = x + (<usize>size << 2);
  for (; x < wholeEnd; x += 16) {
    const input = v128.load(x);
    v128.store(out, f32x4.mul(input, sigmoid(argument(input, a, b))));
    out += 16;
  }
  for (; x < end; x += 4) {
    const input = f32x4.splat(load<f32>(x));
    store<f32>(out, f32x4.extract_lane(f32x4.mul(input, sigmoid(argument(input, a, b))), 0));
    out += 4;
  }
}

/** out = dy · the derivative of {@link gate} at x. */
export function gateGradient(dy: usize, x: usize, size: i32, a: f32, b: f32, out: usize): void {
  const wholeEnd = x + (<usize>(size & ~3) << 2);
  const end = x + (<usize>size << 2);
  for (; x < wholeEnd; x += 16) {
    v128.store(out, f32x4.mul(v128.load(dy), slope(v128.load(x), a, b)));
    out += 16;
    dy += 16;
  }
  for (; x < end; x += 4) {
    const slopes = slope(f32x4.splat(load<f32>(x)), a, b);
    store<f32>(out, load<f32>(dy) * f32x4.extract_lane(slopes, 0));
    out += 4;
    dy += 4;
  }
}

// @ts-ignore: decorator
@inline
function argument(x: v128, a: f32, b: f32): v128 {
  return f32x4.mul(x, f32x4.add(f32x4.mul(f32x4.mul(x, x), f32x4.splat(b)), f32x4.splat(a)));
}

// @ts-ignore: decorator
@inline
function slope(x: v128, a: f32, b: f32): v128 {
  const one = f32x4.splat(1);
  const share = sigmoid(argument(x, a, b));
  const inner = argument(x, a, 3 * b); // x · derivative of the argument
  return f32x4.mul(share, f32x4.add(f32x4.mul(inner, f32x4.sub(one, share)), one));
}

// @ts-ignore: decorator
@inline
function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  const power = exp4(f32x4.neg(f32x4.abs(x)));
  const isNegative = f32x4.lt(x, f32x4.splat(0));
  return f32x4.div(v128.bitselect(power, one, isNegative), f32x4.add(one, power));
}
