import { readFileSync } from 'node:fs';
import { InvalidArgumentError, ShapeError, TrainingError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupAdvantages, meanAndDeviation, normalizedRewardAdvantages } from './advantages.js';

const golden = JSON.parse(
  readFileSync(new URL('../../../../tests/golden/golden.json', import.meta.url), 'utf8'),
).advantages;

test.each(['group', 'batch', 'none'] as const)('%s: the same values as TRL', (scaleRewards) => {
  const { advantages, zeroSpread, means } = groupAdvantages(Float64Array.from(golden.rewards.flat()), 4, {
    scaleRewards,
  });
  (golden[scaleRewards].flat() as number[]).forEach((expected, row) => {
    expect(advantages[row]).toBeCloseTo(expected, 6);
  });
  expect(zeroSpread).toBeCloseTo(scaleRewards === 'batch' ? 0 : 1 / 3, 12); // TRL looks at what divides
  expect(Array.from(means)).toEqual([0.4375, 2, 0.25]);
});

const batches = fc.tuple(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 5 })).chain(([groupSize, groups]) =>
  fc.record({
    groupSize: fc.constant(groupSize),
    rewards: fc.array(fc.double({ min: -100, max: 100, noNaN: true }), {
      minLength: groupSize * groups,
      maxLength: groupSize * groups,
    }),
  }),
);

test('each group sums to 0, keeps its order, and does not change with an added constant', () => {
  fc.assert(
    fc.property(batches, fc.constantFrom('group', 'batch', 'none'), ({ groupSize, rewards }, scaleRewards) => {
      const values = Float64Array.from(rewards);
      const { advantages } = groupAdvantages(values, groupSize, { scaleRewards });
      const shifted = groupAdvantages(
        values.map((reward, row) => reward + Math.floor(row / groupSize)),
        groupSize,
        {
          scaleRewards: 'group',
        },
      ).advantages;
      const unshifted = groupAdvantages(values, groupSize).advantages;
      for (let start = 0; start < values.length; start += groupSize) {
        const group = advantages.subarray(start, start + groupSize);
        expect(Math.abs(group.reduce((sum, advantage) => sum + advantage, 0))).toBeLessThan(1e-8);
        for (let a = start; a < start + groupSize; a++) {
          expect(Math.abs(shifted[a]! - unshifted[a]!)).toBeLessThan(1e-6);
          for (let b = start; b < start + groupSize; b++) {
            if (values[a]! > values[b]!) expect(advantages[a]!).toBeGreaterThanOrEqual(advantages[b]!);
          }
        }
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('a group of equal rewards, and a group of one, have advantage 0 exactly', () => {
  // 0.1 + 0.1 + 0.1 is not 0.3: a plain mean would leave 1e-13 here.
  const { advantages, zeroSpread, deviations } = groupAdvantages(Float64Array.of(0.1, 0.1, 0.1, 1, 2, 3), 3);
  expect(Array.from(advantages.subarray(0, 3))).toEqual([0, 0, 0]);
  expect(Array.from(deviations)).toEqual([0, 1]);
  expect(zeroSpread).toBe(0.5);
  expect(Array.from(groupAdvantages(Float64Array.of(5, -7), 1).advantages)).toEqual([0, 0]);
});

test('invalid input is refused, naming the row', () => {
  expect(() => groupAdvantages(Float64Array.of(1, 2, Number.NaN, 4), 2)).toThrow(TrainingError);
  expect(() => groupAdvantages(Float64Array.of(1, 2, 3, -Infinity), 2)).toThrow('the reward of row 3 is -Infinity');
  for (const [length, groupSize] of [
    [0, 2],
    [3, 2],
    [4, 0],
    [4, 1.5],
    [4, Number.NaN],
  ] as const) {
    expect(() => groupAdvantages(new Float64Array(length), groupSize)).toThrow(ShapeError);
  }
  const wrong = { scaleRewards: 'sum' as 'none' };
  expect(() => groupAdvantages(Float64Array.of(1, 2), 2, wrong)).toThrow(InvalidArgumentError);
});

test('completions without a reward have advantage 0, and the others those of a group without them', () => {
  const rewards = Float64Array.of(1, Number.NaN, 4, 2, Number.NaN, Number.NaN, Number.NaN, Number.NaN);
  expect(() => groupAdvantages(rewards, 4)).toThrow('the reward of row 1 is NaN');
  const { advantages, means, deviations } = groupAdvantages(rewards, 4, { allowMissing: true });
  const known = groupAdvantages(Float64Array.of(1, 4, 2), 3).advantages;
  expect([...advantages]).toEqual([known[0], 0, known[1], known[2], 0, 0, 0, 0]);
  expect(means[0]).toBeCloseTo(7 / 3, 12);
  expect(means[1]).toBeNaN();
  expect(deviations[1]).toBe(0);
});

test('normalize_then_sum: each reward within its group, then the weighted sum over the batch, as in TRL', () => {
  const columns = [
    Float64Array.of(0, 1, 1, 0, 1, 0),
    Float64Array.of(10, 250, Number.NaN, -30, 40, 0),
    Float64Array.of(1, 1, 1, 2, 2, 5), // without spread in the first group
  ];
  const weights = [1, 0.5, -2];
  const deviation = (values: number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [
      mean,
      Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)),
    ] as const;
  };
  const sums = Array.from({ length: 6 }, (_, row) =>
    columns.reduce((sum, column, index) => {
      const start = row < 3 ? 0 : 3;
      const group = [...column.slice(start, start + 3)].filter((value) => !Number.isNaN(value));
      const [mean, spread] = deviation(group);
      const term = (weights[index]! * (column[row]! - mean)) / (spread + 1e-4);
      return Number.isNaN(term) ? sum : sum + term;
    }, 0),
  );
  const [mean, spread] = deviation(sums);
  const { advantages, zeroSpread } = normalizedRewardAdvantages(columns, weights, 3);
  sums.forEach((sum, row) => {
    expect(advantages[row]).toBeCloseTo((sum - mean) / (spread + 1e-4), 12);
  });
  expect(zeroSpread).toBe(0);
  // A reward that is a thousand times larger has the same influence.
  const scaled = normalizedRewardAdvantages(
    [columns[0]!, columns[1]!.map((value) => 1000 * value), columns[2]!],
    weights,
    3,
  );
  scaled.advantages.forEach((advantage, row) => {
    expect(advantage).toBeCloseTo(advantages[row]!, 4);
  });
  expect(() => normalizedRewardAdvantages(columns, [1], 3)).toThrow('3 rewards need one weight each, got 1');
});

test('mean and deviation skip NaN', () => {
  expect(meanAndDeviation(Float64Array.of(Number.NaN, 1, 3))).toEqual({ mean: 2, deviation: Math.SQRT2 });
  expect(meanAndDeviation(Float64Array.of(Number.NaN))).toEqual({ mean: Number.NaN, deviation: 0 });
});
