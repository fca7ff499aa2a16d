import { InvalidArgumentError, type Sampler, StateMismatchError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import {
  curriculum,
  frozenWeightedSampler,
  mixtureSampler,
  shard,
  subsetSampler,
  uniformSampler,
  weightedSampler,
} from './index.js';

const weights = Float64Array.from({ length: 50 }, (_, position) => 1 + (position % 7));
const samplers: Readonly<Record<string, () => Sampler>> = {
  weightedSampler: () => weightedSampler(weights, { seed: 4 }),
  frozenWeightedSampler: () => frozenWeightedSampler(weights, { seed: 4 }),
  uniformSampler: () => uniformSampler(50, { seed: 4 }),
  subsetSampler: () => subsetSampler(weights, { seed: 4, budget: 30 }),
  curriculum: () => curriculum(weights, { seed: 4 }),
  mixtureSampler: () => mixtureSampler([{ sampler: uniformSampler(50, { seed: 4 }), weight: 1 }], { seed: 5 }),
};

/** The draws of all ranks, each with its own batch size, put together by number. */
function together(ranks: readonly Sampler[], perRank: number, batchOf: (rank: number) => number): number[] {
  const stream: number[] = [];
  ranks.forEach((sampler, rank) => {
    for (let drawn = 0; drawn < perRank; ) {
      const { positions } = sampler.draw(Math.min(batchOf(rank), perRank - drawn));
      for (const position of positions) stream[drawn++ * ranks.length + rank] = position;
    }
  });
  return stream;
}

describe.each(Object.entries(samplers))('%s', (_, create) => {
  const whole = Array.from(create().draw(960).positions);
  const ranksOf = (worldSize: number) =>
    Array.from({ length: worldSize }, (_, rank) => shard(create(), { rank, worldSize }));

  test.each([1, 2, 4, 8, 3])('%i ranks of any batch size draw the stream of one', (worldSize) => {
    for (const batchOf of [() => 1, () => 32, (rank: number) => 1 + rank * 5]) {
      const stream = together(ranksOf(worldSize), 960 / worldSize, batchOf);
      expect(stream).toEqual(whole);
    }
  });

  test('restored on another number of ranks, the stream continues', () => {
    const before = ranksOf(4);
    const head = together(before, 60, () => 20);
    const states = new Set(before.map((sampler) => JSON.stringify(sampler.state())));
    expect(states.size).toBe(1); // the position in the global stream
    const [state] = states;
    for (const worldSize of [1, 2, 8, 3]) {
      const after = ranksOf(worldSize);
      for (const sampler of after) sampler.restore(JSON.parse(state!));
      expect([...head, ...together(after, 720 / worldSize, () => 7)]).toEqual(whole);
    }
    const alone = create();
    alone.restore(JSON.parse(state!));
    expect([...head, ...alone.draw(720).positions]).toEqual(whole);
  });
});

test('without replacement, no position is drawn twice in an epoch over all ranks, and the last round is shared', () => {
  const ranks = [0, 1, 2, 3].map((rank) =>
    shard(subsetSampler(weights, { seed: 1, epochs: 1 }), { rank, worldSize: 4 }),
  );
  const drawn = ranks.map((sampler) => Array.from(sampler.draw(100).positions));
  expect(drawn.map(({ length }) => length)).toEqual([13, 13, 12, 12]);
  expect(new Set(drawn.flat()).size).toBe(50);
});

test('updates and feedback reach the sampler below', () => {
  const inner = weightedSampler(weights, { seed: 4 });
  const sampler = shard(inner, { rank: 1, worldSize: 2 });
  inner.update({
    version: 3,
    positions: Int32Array.from(weights.keys()),
    weights: new Float64Array(50).fill(0).fill(1, 7, 8),
  });
  expect(sampler.draw(5)).toEqual({
    positions: new Int32Array(5).fill(7),
    probabilities: new Float64Array(5).fill(1),
    version: 3,
  });
  expect(sampler.weightsVersion).toBe(3);
  const learning = curriculum(weights, { seed: 4 });
  shard(learning, { rank: 0, worldSize: 2 }).observe!({
    step: 1,
    positions: Int32Array.of(3),
    rewards: Float32Array.of(1),
  });
  expect(learning.passRates()[3]).toBe(0.75);
});

test('refuses invalid arguments and states', () => {
  const inner = uniformSampler(5, { seed: 1 });
  for (const options of [
    { rank: 2, worldSize: 2 },
    { rank: -1, worldSize: 2 },
    { rank: 0, worldSize: 0 },
    { rank: 0.5, worldSize: 2 },
    { rank: 0, worldSize: 1.5 },
  ]) {
    expect(() => shard(inner, options)).toThrow(InvalidArgumentError);
  }
  const sampler = shard(inner, { rank: 0, worldSize: 2 });
  expect(() => sampler.restore(uniformSampler(6, { seed: 1 }).state())).toThrow(StateMismatchError);
  expect(() => sampler.draw(-1)).toThrow(InvalidArgumentError);
  expect(() => sampler.draw(0.5)).toThrow(InvalidArgumentError);
});
