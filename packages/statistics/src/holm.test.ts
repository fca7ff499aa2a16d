import { expect, test } from 'vitest';
import { holm } from './holm.js';

test('adjusts by hand-computed factors', () => {
  // Sorted: 0.005 · 4, 0.01 · 3, 0.03 · 2, 0.04 · 1, which must not be below 0.06.
  const expected = [0.03, 0.06, 0.06, 0.02];
  for (const [index, value] of holm([0.01, 0.04, 0.03, 0.005]).entries()) {
    expect(value).toBeCloseTo(expected[index]!, 12);
  }
  expect(holm([0.9, 0.6])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});

test('refuses what is not a probability', () => {
  expect(() => holm([0.2, 1.5])).toThrow('p value 1.5 at position 1 must be in [0, 1]');
  expect(() => holm([Number.NaN])).toThrow('must be finite');
});
