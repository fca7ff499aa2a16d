/**
 * One step of AdamW over `size` numbers:
 * nextAverage = average · beta1 + gradient · gain, nextSquare = square · beta2 + gradient² · squareGain,
 * next = parameter · decay - nextAverage / (√nextSquare + epsilon) · stepSize.
 */
export function adamW(
  parameter: usize, gradient: usize, average: usize, square: usize,
  next: usize, nextAverage: usize, nextSquare: usize,
  size: i32, beta1: f32, gain: f32, beta2: f32, squareGain: f32, decay: f32, epsilon: f32, stepSize: f32,
): void {
  const wholeEnd = <usize>(size & ~3) << 2;
  const end = <usize>size << 2;
  let at: usize = 0;
  for (; at < wholeEnd; at += 16) {
    const g = v128.load(gradient + at);
    const m = f32x4.add(f32x4.mul(v128.load(average + at), f32x4.splat(beta1)), f32x4.mul(g, f32x4.splat(gain)));
    const v = f32x4.add(
      f32x4.mul(v128.load(square + at), f32x4.splat(beta2)),
      f32x4.mul(f32x4.mul(g, g), f32x4.splat(squareGain)),
    );
    const ratio = f32x4.div(m, f32x4.add(f32x4.sqrt(v), f32x4.splat(epsilon)));
    v128.store(nextAverage + at, m);
    v128.store(nextSquare + at, v);
    v128.store(
      next + at,
      f32x4.sub(f32x4.mul(v128.load(parameter + at), f32x4.splat(decay)), f32x4.mul(ratio, f32x4.splat(stepSize))),
    );
  }
  for (; at < end; at += 4) {
    const g = load<f32>(gradient + at);
    const m = load<f32>(average + at) * beta1 + g * gain;
    const v = load<f32>(square + at) * beta2 + g * g * squareGain;
    store<f32>(nextAverage + at, m);
    store<f32>(nextSquare + at, v);
    store<f32>(next + at, load<f32>(parameter + at) * decay - (m / (sqrt<f32>(v) + epsilon)) * stepSize);
  }
}
