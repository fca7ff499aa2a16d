import { expect, test } from 'vitest';
import { counterRandom, threefry2x32 } from './counter-random.js';

test('threefry gives the published vectors (Random123 kat_vectors, 2x32, 20 rounds)', () => {
  const out = new Int32Array(2);
  const hex = () => [...out].map((word) => (word >>> 0).toString(16));
  threefry2x32(0, 0, 0, 0, out);
  expect(hex()).toEqual(['6b200159', '99ba4efe']);
  threefry2x32(-1, -1, -1, -1, out);
  expect(hex()).toEqual(['1cb996fc', 'bb002be7']);
  threefry2x32(0x243f6a88, 0x85a308d3 | 0, 0x13198a2e, 0x03707344, out);
  expect(hex()).toEqual(['c4923a9c', '483df7a0']);
});

test('values are uniform in [0, 1) (chi-square over 100 bins, false alarm below 1e-6)', () => {
  const random = counterRandom(2 ** 40 + 3);
  const counts = new Float64Array(100);
  for (let index = 0; index < 1_000_000; index++) counts[Math.floor(random.uniform(index) * 100)]!++;
  const statistic = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
  expect(statistic).toBeLessThan(181); // the 1 - 1e-6 quantile at 99 degrees of freedom is 180.8
});

test('every index, seed and fork gives a different value, and a value never changes', () => {
  const random = counterRandom(7);
  expect(random.uniform(12)).toBe(counterRandom(7).uniform(12));
  const values = [random.uniform(12), random.uniform(13), random.uniform(12 + 2 ** 32), counterRandom(8).uniform(12)];
  values.push(random.fork(0).uniform(12), random.fork(1).uniform(12), counterRandom(7 + 2 ** 32).uniform(12));
  expect(new Set(values).size).toBe(values.length);
  expect(() => counterRandom(0.5)).toThrow('seed must be a safe integer, got 0.5');
});

test('fill gives the values of uniform, for every length and across every boundary of the counter words', () => {
  for (const seed of [0, 7, -3, 2 ** 40 + 3]) {
    const random = counterRandom(seed).fork(2);
    for (const first of [0, 1, 2 ** 31 - 5, 2 ** 32 - 6, 2 ** 32 - 5, 3 * 2 ** 32 - 1, 2 ** 45 + 1]) {
      for (const length of [0, 1, 2, 3, 11, 1000]) {
        const out = new Float64Array(length + 1).fill(9);
        random.fill(first, out.subarray(0, length));
        expect(out).toEqual(Float64Array.from(out, (_, index) => (index < length ? random.uniform(first + index) : 9)));
      }
    }
  }
});
