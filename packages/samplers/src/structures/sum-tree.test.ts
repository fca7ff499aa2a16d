import { counterRandom, InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { sumTree } from './sum-tree.js';

test('draws follow the weights (chi-square, 8 degrees of freedom, false alarm below 1e-6)', () => {
  const weights = [5, 0, 1, 1, 0.5, 8, 1e-9, 3, 2, 4, 0, 7];
  const tree = sumTree(weights);
  const random = counterRandom(42);
  const draws = 1_000_000;
  const counts = new Float64Array(weights.length);
  for (let index = 0; index < draws; index++) counts[tree.find(random.uniform(index))]!++;
  let statistic = 0;
  weights.forEach((weight, position) => {
    const expected = (draws * weight) / tree.total;
    if (weight === 0) expect(counts[position]).toBe(0);
    else if (expected > 5) statistic += (counts[position]! - expected) ** 2 / expected;
  });
  expect(statistic).toBeLessThan(42.7); // the 1 - 1e-6 quantile
});

test('the share of a position in [0, 1) is its share of the total weight', () => {
  const tree = sumTree([1, 2, 0, 5]);
  expect([0, 0.1249, 0.125, 0.374, 0.375, 0.9999].map(tree.find)).toEqual([0, 0, 1, 1, 3, 3]);
});

test('a million updates leave the root equal to the sum of its leaves', () => {
  const tree = sumTree(new Float64Array(1000).fill(1));
  const positions = counterRandom(7).fork(0);
  const exponents = counterRandom(7).fork(1);
  for (let index = 0; index < 1_000_000; index++) {
    tree.update(Math.floor(positions.uniform(index) * 1000), 10 ** (exponents.uniform(index) * 12 - 6));
  }
  let sum = 0;
  for (let position = 0; position < 1000; position++) sum += tree.weight(position);
  expect(Math.abs(tree.total / sum - 1)).toBeLessThan(1e-12);
});

test('updates give exactly the tree of the new weights', () => {
  const tree = sumTree([3, 0.1, 0.7, 1e9, 0.3]);
  tree.update(3, 0.2);
  tree.update(0, 1e-7);
  const fresh = sumTree([1e-7, 0.1, 0.7, 0.2, 0.3]);
  expect(tree.total).toBe(fresh.total);
  for (let step = 0; step < 1000; step++) expect(tree.find(step / 1000)).toBe(fresh.find(step / 1000));
});

test('the last representable uniform never lands on an empty tail', () => {
  const tree = sumTree([0.1, 0.2, 0.3, 0, 0]);
  expect(tree.find(1 - 2 ** -53)).toBe(2);
  expect(tree.find(0)).toBe(0);
  expect(sumTree([0, 0, 5e-324]).find(1 - 2 ** -53)).toBe(2);
  expect(sumTree([7]).find(0.5)).toBe(0);
});

test('more than 2^24 positions are drawn evenly (five standard errors, false alarm below 1e-6)', () => {
  const size = 2 ** 24 + 2;
  const weights = new Uint8Array(size).fill(1).fill(2, 0, size / 2);
  const tree = sumTree(weights);
  const random = counterRandom(5);
  let upper = 0;
  for (let index = 0; index < 100_000; index++) if (tree.find(random.uniform(index)) >= size / 2) upper++;
  expect(Math.abs(upper - 100_000 / 3)).toBeLessThan(5 * Math.sqrt((100_000 * 2) / 9));
});

test('refuses invalid weights and positions, naming position and value', () => {
  expect(() => sumTree([0, 0]).find(0.5)).toThrow('all weights are zero');
  expect(() => sumTree([]).find(0.5)).toThrow(InvalidWeightsError);
  expect(() => sumTree([1, Number.NaN])).toThrow('weight NaN at position 1: weights must be finite and ≥ 0');
  expect(() => sumTree([-1])).toThrow(InvalidWeightsError);
  expect(() => sumTree([1, 2, Infinity])).toThrow('weight Infinity at position 2');
  expect(() => sumTree([1e308, 1e308, 1e308])).toThrow('their sum overflows');
  const tree = sumTree([1, 2, 3]);
  for (const position of [-1, 3, 1.5, Number.NaN]) expect(() => tree.update(position, 1)).toThrow(InvalidArgumentError);
  expect(() => tree.update(0, -2)).toThrow('weight -2 at position 0');
  expect(tree.total).toBe(6);
  tree.update(1, -0);
  expect(tree.weight(1)).toBe(0); // and not -0
});
