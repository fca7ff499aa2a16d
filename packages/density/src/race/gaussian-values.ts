import type { CounterRandom } from '@rarefy/core';

/**
 * Standard normal values, the same bits on every platform, by Marsaglia's polar method: only operations that IEEE 754 rounds exactly.
 * @param random used from index 0 on
 */
export function gaussianValues(count: number, random: CounterRandom): Float64Array {
  const values = new Float64Array(count);
  for (let at = 0, index = 0; at < count; index += 2) {
    const x = 2 * random.uniform(index) - 1;
    const y = 2 * random.uniform(index + 1) - 1;
    const square = x * x + y * y;
    if (square >= 1 || square === 0) continue;
    const scale = Math.sqrt((-2 * logarithm(square)) / square);
    values[at++] = x * scale;
    if (at < count) values[at++] = y * scale;
  }
  return values;
}

/** ln of a number in (0, 1]; Math.log may differ in the last bit from one engine to another. */
function logarithm(value: number): number {
  let mantissa = value;
  let halvings = 0;
  for (; mantissa < Math.SQRT1_2; halvings++) mantissa *= 2;
  // 2 artanh(s), whose series has all digits after 12 terms for |s| < 0.172
  const s = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let odd = 23; odd >= 1; odd -= 2) sum = sum * s * s + 1 / odd;
  return 2 * s * sum - halvings * Math.LN2;
}
