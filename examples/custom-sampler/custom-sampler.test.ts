import { samplerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { expect, test } from 'vitest';
import { roundRobinSampler } from './custom-sampler.js';

describeChecks('roundRobinSampler', samplerChecks({ create: () => roundRobinSampler(7, 3) }));

test('draws every position once per round, and the seed determines the first', () => {
  const { positions } = roundRobinSampler(5, 0).draw(10);
  expect([...positions].sort()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  expect(positions.subarray(5)).toEqual(positions.subarray(0, 5));
  const firsts = Array.from({ length: 100 }, (_, seed) => roundRobinSampler(5, seed).draw(1).positions[0]);
  expect(new Set(firsts).size).toBe(5);
});
