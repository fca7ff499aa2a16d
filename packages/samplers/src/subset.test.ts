import { InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { inclusionProbabilities } from './structures/inclusion-probabilities.js';
import { subsetSampler } from './subset.js';

const weights = [5, 0, 1, 0.3, 2, 1.7, 0, 4];

test('each epoch draws every position of weight above 0 once, in a new order', () => {
  const sampler = subsetSampler(weights, { seed: 3 });
  expect(sampler.budget).toBe(6);
  const orders = Array.from({ length: 20 }, () => Array.from(sampler.draw(6).positions));
  for (const order of orders) expect(order.toSorted()).toEqual([0, 2, 3, 4, 5, 7]);
  expect(new Set(orders.map(String)).size).toBeGreaterThan(10);
});

test('with a budget, positions are in an epoch with their exact probability (six standard errors, false alarm below 1e-7)', () => {
  const epochs = 50_000;
  const sampler = subsetSampler(weights, { seed: 3, budget: 3, epochs });
  const counts = new Float64Array(weights.length);
  for (const position of sampler.draw(3 * epochs).positions) counts[position]!++;
  const { inclusion } = sampler;
  expect(inclusion).toEqual(inclusionProbabilities(weights, 3));
  counts.forEach((count, position) => {
    const chance = inclusion![position]!;
    expect(Math.abs(count - epochs * chance)).toBeLessThanOrEqual(6 * Math.sqrt(epochs * chance * (1 - chance)));
  });
  expect(sampler.draw(1).positions.length).toBe(0);
});

test('inclusion is defined if the budget is above a tenth of what can be drawn', () => {
  const many = new Float64Array(100).fill(1).fill(0, 0, 20);
  expect(subsetSampler(many, { seed: 1, budget: 8 }).inclusion).toBeUndefined();
  const inclusion = subsetSampler(many, { seed: 1, budget: 9 }).inclusion!;
  expect(inclusion[0]).toBe(0);
  expect(inclusion[50]).toBeCloseTo(9 / 80, 9);
});

test('a draw reports its probability given the draws before it, however little is left', () => {
  const sampler = subsetSampler([1e15, 1, 1e-15, 3], { seed: 1, epochs: 1 });
  const draws = sampler.draw(10);
  const left = new Map([1e15, 1, 1e-15, 3].entries());
  draws.positions.forEach((position, draw) => {
    const total = Array.from(left.values()).reduce((sum, weight) => sum + weight, 0);
    expect(draws.probabilities[draw]! / (left.get(position)! / total)).toBeCloseTo(1, 12);
    left.delete(position);
  });
  expect(draws.probabilities[3]).toBe(1);
  expect(sampler.probabilities().every((chance) => chance === 0)).toBe(true);
});

describe('capabilities', () => {
  test('say whether a position may be drawn again', () => {
    const of = (options: { budget?: number; epochs?: number }) =>
      subsetSampler(weights, { seed: 1, ...options }).capabilities;
    expect(of({})).toEqual({ replacement: false, finite: false, adaptive: false });
    expect(of({ budget: 3 })).toEqual({ replacement: true, finite: false, adaptive: false });
    expect(of({ budget: 3, epochs: 1 })).toEqual({ replacement: false, finite: true, adaptive: false });
  });
});

test('refuses invalid weights, counts and options', () => {
  const make = (list: number[], budget?: number, epochs?: number) => () =>
    subsetSampler(list, { seed: 1, ...(budget !== undefined && { budget }), ...(epochs !== undefined && { epochs }) });
  expect(make([])).toThrow(InvalidWeightsError);
  expect(make([0, 0])).toThrow('all 2 weights are zero');
  expect(make([1, Number.NaN])).toThrow('weight NaN at position 1');
  expect(make([1, 1, 0], 3)).toThrow('3 draws without replacement need 3 weights above 0, and 2 of 3 are');
  for (const budget of [0, 1.5, Number.NaN]) expect(make([1, 2], budget)).toThrow(InvalidArgumentError);
  for (const epochs of [0, 1.5, -Infinity]) expect(make([1, 2], 1, epochs)).toThrow(InvalidArgumentError);
  expect(Array.from(subsetSampler([7], { seed: 1 }).draw(3).positions)).toEqual([0, 0, 0]);
});
