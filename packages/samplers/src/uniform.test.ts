import { counterRandom, InvalidArgumentError, StateMismatchError } from '@rarefy/core';
import { samplerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { expect, test } from 'vitest';
import { uniformSampler } from './uniform.js';
import { weightedSampler } from './weighted.js';

describeChecks('uniformSampler', samplerChecks({ create: () => uniformSampler(37, { seed: 3 }) }));

test('draw n is uniform n of the seed, scaled; equal weights draw the same', () => {
  const random = counterRandom(3);
  const draws = uniformSampler(10, { seed: 3 }).draw(100);
  expect(Array.from(draws.positions)).toEqual(
    Array.from({ length: 100 }, (_, n) => Math.floor(random.uniform(n) * 10)),
  );
  expect(draws.probabilities.every((probability) => probability === 0.1)).toBe(true);
  const weighted = weightedSampler(new Float64Array(16).fill(2), { seed: 3 });
  expect(weighted.draw(100).positions).toEqual(uniformSampler(16, { seed: 3 }).draw(100).positions);
});

test('refuses a changed state', () => {
  const sampler = uniformSampler(10, { seed: 3 });
  sampler.draw(5);
  const state = sampler.state();
  const payload = state.payload as Record<string, unknown>;
  for (const change of [{ next: 6 }, { next: -1 }, { next: '5' }, { seed: 4 }, { digest: 'f' }]) {
    const changed = { ...state, payload: { ...payload, ...change } };
    expect(() => sampler.restore(changed)).toThrow(StateMismatchError);
  }
  expect(() => uniformSampler(11, { seed: 3 }).restore(state)).toThrow(StateMismatchError);
  expect(() => uniformSampler(10, { seed: 4 }).restore(state)).toThrow(StateMismatchError);
  expect(sampler.state()).toEqual(state);
});

test('refuses invalid arguments', () => {
  for (const size of [0, -1, 1.5, Number.NaN, 2 ** 31 + 1]) {
    expect(() => uniformSampler(size, { seed: 1 })).toThrow(InvalidArgumentError);
  }
  expect(() => uniformSampler(3, { seed: Number.NaN })).toThrow(InvalidArgumentError);
  expect(() => uniformSampler(3, { seed: 1 }).draw(-1)).toThrow(InvalidArgumentError);
});
