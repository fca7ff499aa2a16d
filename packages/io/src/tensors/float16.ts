/** Converts IEEE 754 half precision to single precision: exact, NaN payloads are kept. @param halves one value per 16-bit word */
export function fromFloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const words = new Uint32Array(values.buffer);
  for (let index = 0; index < halves.length; index++) {
    const half = halves[index]!;
    const sign = (half & 0x8000) << 16;
    const exponent = half & 0x7c00;
    const fraction = half & 0x03ff;
    if (exponent === 0) {
      values[index] = fraction * 2 ** -24; // zero or subnormal
      words[index]! |= sign;
    } else if (exponent === 0x7c00) {
      words[index] = sign | 0x7f800000 | (fraction << 13); // infinity or NaN
    } else {
      words[index] = sign | ((exponent << 13) + ((127 - 15) << 23)) | (fraction << 13);
    }
  }
  return values;
}

/** Converts single to half precision, rounding to nearest with ties to even; values that are too large become infinity. */
export function toFloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const word = words[index]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      halves[index] = sign | 0x7e00 | ((magnitude >>> 13) & 0x03ff); // NaN
    } else if (magnitude >= 0x477ff000) {
      halves[index] = sign | 0x7c00; // 65520 and above
    } else if (magnitude >= 0x38800000) {
      const rebiased = magnitude - ((127 - 15) << 23);
      halves[index] = sign | ((rebiased + 0x0fff + ((rebiased >>> 13) & 1)) >>> 13);
    } else {
      // Below 2^-14, in steps of 2^-24: adding 2^52 rounds a double to an integer, ties to even.
      halves[index] = sign | (Math.abs(values[index]!) * 2 ** 24 + 2 ** 52 - 2 ** 52);
    }
  }
  return halves;
}

/** Converts bfloat16 to single precision, exactly: bfloat16 is the upper half of its bits. */
export function fromBfloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const words = new Uint32Array(values.buffer);
  for (let index = 0; index < halves.length; index++) words[index] = halves[index]! << 16;
  return values;
}

/** Converts single precision to bfloat16, rounding to nearest with ties to even; values that are too large become infinity. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const word = words[index]!;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    halves[index] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}
