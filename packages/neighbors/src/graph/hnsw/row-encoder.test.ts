import { normalPoints } from '@rarefy/testing';
import { expect, test } from 'vitest';
import { int8Encoder } from './row-encoder.js';

test('subtracts the median of each column and maps the largest number to 127, in equal steps', () => {
  // Medians 10 and -1; differences from them are -4 to 4 and -2 to 2.
  const sample = Float32Array.of(6, -3, 8, -2, 10, -1, 12, 0, 14, 1);
  const encode = int8Encoder(sample, 2, true);
  const step = 127 / 4;
  expect(Array.from(encode(sample))).toEqual([-127, -63, -63, -32, 0, 0, 64, 32, 127, 64]);
  expect(Array.from(encode(Float32Array.of(10 + 1.4 / step, -1 - 1.6 / step)))).toEqual([1, -2]);
  expect(Array.from(encode(Float32Array.of(1e9, -1e9)))).toEqual([127, -127]);
});

test('without a center, signs stay and zeros are zeros', () => {
  const encode = int8Encoder(Float32Array.of(1, 2, -4, 2), 2, false);
  expect(Array.from(encode(Float32Array.of(0, 4, -2, 1)))).toEqual([0, 127, -63, 32]);
  expect(Array.from(int8Encoder(new Float32Array(4), 2, true)(Float32Array.of(0, 0)))).toEqual([0, 0]);
});

test('one huge row of twenty does not make the steps coarse, and the error is at most half a step', () => {
  const { data } = normalPoints(20, 30, 1);
  const huge = data.slice();
  huge.fill(1e6, 0, 30);
  const plain = int8Encoder(data, 30, false)(data).slice(30);
  const beside = int8Encoder(huge, 30, false)(huge).slice(30);
  const largest = (integers: Iterable<number>) => Math.max(...Array.from(integers, Math.abs));
  expect(largest(beside)).toBeGreaterThan(largest(plain) / 4);
  const step = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  int8Encoder(
    data,
    30,
    false,
  )(data).forEach((integer, at) => {
    expect(Math.abs(integer * step - data[at]!)).toBeLessThanOrEqual(0.5 * step * (1 + 1e-5));
  });
});
