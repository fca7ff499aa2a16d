import { letterEmbedder, type SamplerSubject, samplerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { expect, test } from 'vitest';
import * as exported from './index.js';

const {
  curriculum,
  densityAwareSampler,
  frozenWeightedSampler,
  mixtureSampler,
  shard,
  subsetSampler,
  uniformSampler,
  weightedSampler,
} = exported;
const weights = [4, 0, 1, 2, 3, 0.5, 1e-7, 9];
const prompts = Array.from({ length: 40 }, (_, row) => `${'why '.repeat(row % 7)}is ${row % 13} a number?`);
const aware = (seed: number) => densityAwareSampler(prompts, { embedder: letterEmbedder(), seed });

const mixture = (seed: number, share: number) =>
  mixtureSampler(
    [
      { sampler: weightedSampler(weights, { seed: 1 }), weight: 1 - share },
      { sampler: uniformSampler(weights.length, { seed: 2 }), weight: share },
    ],
    { seed },
  );

/** Every sampler of this package by its exported name, with several settings. */
const subjects: Readonly<Record<string, Readonly<Record<string, SamplerSubject>>>> = {
  densityAwareSampler: { default: { create: () => aware(3), variants: [() => aware(4)] } },
  uniformSampler: {
    default: {
      create: () => uniformSampler(37, { seed: 3 }),
      variants: [() => uniformSampler(38, { seed: 3 }), () => uniformSampler(37, { seed: 4 })],
      fingerprint: 'uniform-sampler:size=37,seed=3',
    },
  },
  weightedSampler: {
    default: {
      create: () => weightedSampler(weights, { seed: 2 ** 40 + 7 }),
      variants: [() => weightedSampler(weights, { seed: 7 }), () => weightedSampler([1, 2], { seed: 2 ** 40 + 7 })],
      fingerprint: 'weighted-sampler:size=8,weights=23ba68cf6e60f83b,seed=1099511627783',
      fromWeights: (given) => weightedSampler(given, { seed: 5 }),
    },
  },
  frozenWeightedSampler: {
    default: {
      create: () => frozenWeightedSampler(weights, { seed: 3 }),
      variants: [() => frozenWeightedSampler(weights, { seed: 4 }), () => weightedSampler(weights, { seed: 3 })],
      fromWeights: (given) => frozenWeightedSampler(given, { seed: 5 }),
    },
  },
  subsetSampler: {
    'epochs of all': {
      create: () => subsetSampler(weights, { seed: 3 }),
      variants: [() => subsetSampler(weights, { seed: 4 }), () => subsetSampler(weights, { seed: 3, epochs: 2 })],
      fromWeights: (given) => subsetSampler(given, { seed: 5 }),
    },
    'epochs of five': { create: () => subsetSampler(weights, { seed: 3, budget: 5 }) },
    'two epochs': { create: () => subsetSampler(weights, { seed: 3, epochs: 2 }) },
  },
  mixtureSampler: {
    'two with replacement': {
      create: () => mixture(3, 0.25),
      variants: [() => mixture(4, 0.25), () => mixture(3, 0.5)],
    },
    'a finite and an adaptive one': {
      create: () =>
        mixtureSampler(
          [
            { sampler: subsetSampler(weights, { seed: 1, epochs: 3 }), weight: 1 },
            { sampler: curriculum(weights, { seed: 2 }), weight: 1 },
          ],
          { seed: 3 },
        ),
    },
  },
  curriculum: {
    default: {
      create: () => curriculum(weights, { seed: 3 }),
      variants: [
        () => curriculum(weights, { seed: 4 }),
        () => curriculum(weights, { seed: 3, floor: 0.2 }),
        () => curriculum(weights, { seed: 3, cap: 9 }),
      ],
      fromWeights: (given) => curriculum(given, { seed: 5 }),
    },
  },
  shard: {
    'rank 1 of 3': {
      create: () => shard(weightedSampler(weights, { seed: 3 }), { rank: 1, worldSize: 3 }),
      // No variants: ranks share one state, so that a run can continue on another number of ranks.
    },
    'of a curriculum': { create: () => shard(curriculum(weights, { seed: 3 }), { rank: 0, worldSize: 2 }) },
  },
};

for (const [name, settings] of Object.entries(subjects)) {
  for (const [setting, subject] of Object.entries(settings)) {
    describeChecks(`${name}, ${setting}`, samplerChecks(subject));

    test(`${name}, ${setting}: a draw that fails changes nothing`, async () => {
      const sampler = await subject.create();
      sampler.draw(3);
      const before = sampler.state();
      const counts = [-1, 0.5, Number.NaN, ...(sampler.capabilities.finite ? [] : [2 ** 50])];
      for (const count of counts) expect(() => sampler.draw(count), `${count}`).toThrow();
      expect(sampler.state()).toEqual(before);
    });
  }
}

test('every sampler that the package exports is in the list', () => {
  const samplers = Object.keys(exported).filter((name) => /Sampler$|^curriculum$|^shard$/.test(name));
  expect(Object.keys(subjects).sort()).toEqual(samplers.sort());
});
