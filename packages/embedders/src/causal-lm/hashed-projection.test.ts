import { counterRandom } from '@rarefy/core';
import { expect, test } from 'vitest';
import { hashedProjection } from './hashed-projection.js';

const squares = (row: Float32Array) => row.reduce((sum, value) => sum + value * value, 0);

test('squared lengths are kept on average, with relative deviation √(2 / outputs) (false alarm below 1e-6)', () => {
  const [inputs, outputs, draws] = [2000, 64, 400];
  const random = counterRandom(3);
  const row = Float32Array.from({ length: inputs }, (_, i) => random.uniform(i) - 0.5);
  const ratios = Array.from(
    { length: draws },
    (_, seed) => squares(hashedProjection(inputs, outputs, seed)(row)) / squares(row),
  );
  const mean = ratios.reduce((sum, ratio) => sum + ratio) / draws;
  const deviation = Math.sqrt(ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / (draws - 1));
  const expected = Math.sqrt(2 / outputs);
  expect(Math.abs(mean - 1)).toBeLessThan((5 * expected) / Math.sqrt(draws));
  // The standard error of a deviation is about its value / √(2 draws); the ratios have somewhat heavier tails than normal.
  expect(Math.abs(deviation / expected - 1)).toBeLessThan((5 * 1.3) / Math.sqrt(2 * draws));
});

test('the map is linear and a pure function of its seed', () => {
  const [a, b] = [1, 2].map((seed) => Float32Array.from({ length: 50 }, (_, i) => Math.sin(seed * i + 1)));
  const project = hashedProjection(50, 8, 4);
  const sum = project(a!.map((value, i) => value + 2 * b![i]!));
  const [one, two] = [project(a!), project(b!)];
  sum.forEach((value, i) => {
    expect(value).toBeCloseTo(one[i]! + 2 * two[i]!, 5);
  });
  expect(hashedProjection(50, 8, 4)(a!)).toEqual(one);
  expect(hashedProjection(50, 8, 5)(a!)).not.toEqual(one);
});
