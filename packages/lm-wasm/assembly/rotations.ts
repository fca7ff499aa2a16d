/**
 * Rotates the two halves of each head, of which `half` pairs turn: (a · cos - b · sin, b · cos + a · sin). Numbers beyond them are
 * copied. x and out are [batch, heads, length, headSize], cos and sin [batch, length, half].
 * @param sign 1, or -1 to rotate back
 */
export function rotate(
  x: usize, cos: usize, sin: usize, batch: i32, heads: i32, length: i32, headSize: i32, half: i32, sign: f32, out: usize,
): void {
  const row = <usize>headSize << 2;
  const halfBytes = <usize>half << 2;
  const whole = <usize>(half & ~3) << 2;
  const signs = f32x4.splat(sign);
  for (let item = 0; item < batch; item++) {
    for (let head = 0; head < heads; head++) {
      let c = cos;
      let s = sin;
      for (let position = 0; position < length; position++) {
        let at: usize = 0;
        for (; at < whole; at += 16) {
          const a = v128.load(x + at);
          const b = v128.load(x + at + halfBytes);
          const cosine = v128.load(c + at);
          const sine = f32x4.mul(v128.load(s + at), signs);
          v128.store(out + at, f32x4.sub(f32x4.mul(a, cosine), f32x4.mul(b, sine)));
          v128.store(out + at + halfBytes, f32x4.add(f32x4.mul(b, cosine), f32x4.mul(a, sine)));
        }
        for (; at < halfBytes; at += 4) {
          const a = load<f32>(x + at);
          const b = load<f32>(x + at + halfBytes);
          const cosine = load<f32>(c + at);
          const sine = load<f32>(s + at) * sign;
          store<f32>(out + at, a * cosine - b * sine);
          store<f32>(out + at + halfBytes, b * cosine + a * sine);
        }
        const rest = halfBytes << 1;
        if (rest < row) memory.copy(out + rest, x + rest, row - rest);
        x += row;
        out += row;
        c += halfBytes;
        s += halfBytes;
      }
    }
    cos += <usize>length * halfBytes;
    sin += <usize>length * halfBytes;
  }
}
