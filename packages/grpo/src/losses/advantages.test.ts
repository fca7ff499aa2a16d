import { readFileSync } from 'node:fs';
import { InvalidArgumentError, ShapeError, TrainingError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupAdvantages } from './advantages.js';

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
  expect(zeroSpread).toBeCloseTo(1 / 3, 12);
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
