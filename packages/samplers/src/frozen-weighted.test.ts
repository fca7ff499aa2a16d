import { counterRandom } from '@rarefy/core';
import { expect, test } from 'vitest';
import { frozenWeightedSampler } from './frozen-weighted.js';
import { aliasTable } from './structures/alias-table.js';
import { type WeightedSampler, weightedSampler } from './weighted.js';

const weights = [4, 0, 1, 2, 3, 0.5, 1e-7, 9];
const total = weights.reduce((sum, weight) => sum + weight, 0);
const create = () => frozenWeightedSampler(weights, { seed: 3 });

test('draw n is the position of uniform n in the alias table', () => {
  const table = aliasTable(weights);
  const random = counterRandom(3);
  expect(create().draw(5000).positions).toEqual(
    Int32Array.from({ length: 5000 }, (_, draw) => table.find(random.uniform(draw))),
  );
});

test('probabilities belong to the draws, whenever they are read and whatever happens to the positions', () => {
  const sampler = create();
  const draws = sampler.draw(300);
  const chances = Array.from(draws.positions, (position) => weights[position]! / total);
  sampler.draw(700);
  sampler.restore(create().state());
  draws.positions.fill(1);
  expect(Array.from(draws.probabilities)).toEqual(chances);
  expect(draws.probabilities).toBe(draws.probabilities);
  expect(Object.keys(draws)).toEqual(Object.keys(weightedSampler(weights, { seed: 3 }).draw(1)));
  expect({ ...draws }.probabilities).toBe(draws.probabilities);
});

test('has no methods that change weights, and a wrong count leaves the stream where it was', () => {
  const sampler = create();
  for (const method of ['update', 'add', 'remove']) expect(sampler).not.toHaveProperty(method);
  // @ts-expect-error a frozen sampler cannot stand in for a weighted one
  const changeable: WeightedSampler = sampler;
  expect(changeable.weightsVersion).toBe(0);
  expect(() => sampler.draw(-1)).toThrow('count must be an integer ≥ 0, got -1');
  expect(sampler.draw(1).first).toBe(0);
});
