import { InvalidArgumentError, type IterableSampler } from '@rarefy/core';
import { letterEmbedder, type SamplerSubject, samplerChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { expect, test } from 'vitest';
import type { DensityUpdatesOptions } from './index.js';
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

    test(`${name}, ${setting}: is iterable, one draw per position, and a second loop goes on`, async () => {
      const [sampler, drawn] = [(await subject.create()) as IterableSampler, await subject.create()];
      const seen: number[] = [];
      for (const position of sampler) if (seen.push(position) === 3) break;
      for (const position of sampler) if (seen.push(position) === 7) break;
      expect(seen).toEqual([...drawn.draw(7).positions]);
      expect(sampler.state()).toEqual(drawn.state());
    });

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

test('missing options, and values that are not weights or samplers, are refused with what to give instead', () => {
  const given = weightedSampler(weights, { seed: 1 });
  const nothing = undefined as never;
  for (const [call, message] of [
    [() => weightedSampler(weights, nothing), 'seed must be a safe integer, got undefined'],
    [() => frozenWeightedSampler(weights, nothing), 'seed must be'],
    [() => subsetSampler(weights, nothing), 'seed must be'],
    [() => uniformSampler(3, nothing), 'seed must be'],
    [() => curriculum(weights, nothing), 'seed must be'],
    [() => weightedSampler(Promise.resolve(weights) as never, { seed: 1 }), 'got a promise; did you forget await?'],
    [() => subsetSampler({ weights } as never, { seed: 1 }), 'weights must be an array of numbers, got an object'],
    [() => curriculum(nothing, { seed: 1 }), 'weights must be an array of numbers, got undefined'],
    [() => shard(given, nothing), 'worldSize must be an integer ≥ 1, got undefined'],
    [() => shard(Promise.resolve(given) as never, { rank: 0, worldSize: 2 }), 'shard needs a sampler, got a promise'],
    [
      () => mixtureSampler([{ sampler: nothing, weight: 1 }], { seed: 1 }),
      'a mixture part needs a sampler, got undefined',
    ],
    [() => mixtureSampler([given as never], { seed: 1 }), 'a mixture part has no option'],
    [() => mixtureSampler(nothing, { seed: 1 }), 'mixtureSampler needs a list of items, got undefined'],
  ] as const) {
    expect(call).toThrow(InvalidArgumentError);
    expect(call).toThrow(message);
  }
});

test('every function with options refuses unknown names, and suggests the nearest one', async () => {
  const { combineUpdates, densityUpdates, farthestFirst, followUpdates, sampleStream } = exported;
  const untyped = <Value>(value: unknown) => value as Value;
  const points = { data: new Float32Array(4), rows: 2, cols: 2 };
  const calls: Readonly<Record<string, readonly [() => unknown, string]>> = {
    weightedSampler: [() => weightedSampler(weights, untyped({ sead: 1 })), 'did you mean "seed"?'],
    'weightedSampler, name': [() => weightedSampler(weights, untyped({ seed: 1, name: 'x' })), 'no option "name"'],
    frozenWeightedSampler: [() => frozenWeightedSampler(weights, untyped({ seed: 1, name: 'x' })), 'no option "name"'],
    uniformSampler: [() => uniformSampler(3, untyped({ seed: 1, size: 3 })), 'no option "size"'],
    subsetSampler: [() => subsetSampler(weights, untyped({ seed: 1, epoch: 2 })), 'did you mean "epochs"?'],
    curriculum: [() => curriculum(weights, untyped({ seed: 1, flour: 0.1 })), 'did you mean "floor"?'],
    mixtureSampler: [
      () => mixtureSampler([{ sampler: weightedSampler(weights, { seed: 1 }), weight: 1 }], untyped({ sed: 3 })),
      'did you mean "seed"?',
    ],
    'mixtureSampler, part': [
      () => mixtureSampler([untyped({ sampler: weightedSampler(weights, { seed: 1 }), weigth: 1 })], { seed: 1 }),
      'did you mean "weight"?',
    ],
    shard: [
      () => shard(weightedSampler(weights, { seed: 1 }), untyped({ rank: 0, worldsize: 2 })),
      'did you mean "worldSize"?',
    ],
    densityAwareSampler: [
      () => densityAwareSampler(prompts, untyped({ embedder: letterEmbedder(), seed: 1, batchsize: 3 })),
      'did you mean "batchSize"?',
    ],
    densityUpdates: [
      () => densityUpdates([], untyped<DensityUpdatesOptions<never, string>>({ prompts, timeshare: 1 })),
      'did you mean "timeShare"?',
    ],
    followUpdates: [() => followUpdates(weightedSampler([1], { seed: 1 }), [], untyped({ onErr: 1 })), '"onError"'],
    combineUpdates: [() => combineUpdates({ a: { updates: [] } }, untyped({ since: 1 })), '"after"'],
    farthestFirst: [() => farthestFirst(points, 1, untyped({ sead: 1 })), 'did you mean "seed"?'],
    sampleStream: [() => sampleStream([1], untyped({ counts: 1 })), 'did you mean "count"?'],
  };
  for (const [name, [call, message]] of Object.entries(calls)) {
    const result = (async () => call())();
    await expect(result, name).rejects.toThrow(InvalidArgumentError);
    await expect(result, name).rejects.toThrow(message);
  }
});
