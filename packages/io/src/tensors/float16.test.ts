import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './float16.js';

const everyHalf = Uint16Array.from({ length: 2 ** 16 }, (_, half) => half);

/** The definition of IEEE 754 binary16. */
function definition(half: number): number {
  const sign = half >> 15 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test('all 65,536 half-precision values match the definition and survive a round trip', () => {
  const values = fromFloat16(everyHalf);
  for (const half of everyHalf) if (!Object.is(values[half], definition(half))) expect.fail(`half ${half}`);
  const back = toFloat16(values);
  // A NaN comes back as a quiet one, its payload kept.
  for (const half of everyHalf) {
    const expected = Number.isNaN(values[half]) ? half | 0x0200 : half;
    if (back[half] !== expected) expect.fail(`half ${half} became ${back[half]}`);
  }
});

test('single to half rounds to nearest, ties to even: at every midpoint and next to it', () => {
  const up = (value: number) => next(value, 1);
  const down = (value: number) => next(value, -1);
  for (let half = 0; half < 0x7c00; half++) {
    const low = definition(half);
    const high = half + 1 === 0x7c00 ? 2 ** 16 : definition(half + 1); // what follows the largest, had it an exponent
    const middle = (low + high) / 2; // one bit more than a half has: exact in single precision
    const even = half % 2 === 0 ? half : half + 1;
    const seen = toFloat16(Float32Array.of(middle, down(middle), up(middle), -middle, -down(middle), -up(middle)));
    const expected = [even, half, half + 1, even | 0x8000, half | 0x8000, (half + 1) | 0x8000];
    if (expected.some((value, index) => value !== seen[index])) expect.fail(`${half}: ${seen}, not ${expected}`);
  }
});

test('single to half yields the nearest half-precision value', () => {
  const halves = fromFloat16(everyHalf.subarray(0, 0x7c00));
  const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-70000), max: Math.fround(70000) });
  fc.assert(
    fc.property(value, (value) => {
      const [rounded] = fromFloat16(toFloat16(Float32Array.of(value)));
      const nearest = halves.reduce((best, half) => Math.min(best, Math.abs(half - Math.abs(value))), Infinity);
      expect(Math.abs(rounded! - value)).toBe(Math.abs(value) >= 65520 ? Infinity : nearest);
    }),
    { seed: 3, numRuns: 200 },
  );
  expect([...toFloat16(Float32Array.of(3e38, -3e38, Infinity, Number.NaN))]).toEqual([0x7c00, 0xfc00, 0x7c00, 0x7e00]);
});

test('bfloat16 is the upper half of single precision', () => {
  expect([...fromBfloat16(Uint16Array.of(0x3f80, 0xc049, 0x0001, 0x7f80, 0x8000))]).toEqual([
    1,
    -3.140625,
    2 ** -133,
    Infinity,
    -0,
  ]);
});

/** The next single-precision number away from zero (1) or toward zero (-1). @param value positive */
function next(value: number, step: 1 | -1): number {
  const single = Float32Array.of(value);
  new Int32Array(single.buffer)[0]! += step;
  return single[0]!;
}

test('bfloat16: every value survives a round trip, and other values round to nearest, ties to even', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, half) => half);
  const values = fromBfloat16(all);
  const back = toBfloat16(values);
  for (const half of all) {
    const isNan = (half & 0x7fff) > 0x7f80;
    expect(back[half]).toBe(isNan ? half | 0x40 : half); // NaN stays NaN, quiet
  }
  const between = (word: number) => toBfloat16(new Float32Array(Uint32Array.of(word).buffer))[0];
  expect([0x3f807fff, 0x3f808000, 0x3f808001, 0x3f818000, 0xbf818000].map(between)).toEqual([
    0x3f80, 0x3f80, 0x3f81, 0x3f82, 0xbf82,
  ]);
  expect(between(0x7f7fffff)).toBe(0x7f80); // rounds up to infinity
  expect(between(0x00000001)).toBe(0);
});
