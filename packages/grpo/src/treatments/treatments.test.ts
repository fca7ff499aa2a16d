import { embedderFrom, InvalidArgumentError, TrainingError } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupAdvantages } from '../losses/advantages.js';
import type { Completion } from '../rollout/rollout.js';
import { completionDensity, focalDifficulty, inverseProbability } from './diversity-treatments.js';
import { type TreatedBatch, treatedAdvantages, treatedRewards } from './treatment.js';

const batchOf = (texts: readonly string[], rewards: readonly number[], groupSize = texts.length): TreatedBatch => ({
  completions: texts.map(
    (text, row): Completion => ({ prompt: 'p', text, position: row, ids: Int32Array.of(row), terminated: true }),
  ),
  groupSize,
  rewards: Float64Array.from(rewards),
});

test('focal difficulty scales the advantages of a group by (1 - success) ^ gamma', () => {
  const given = groupAdvantages(Float64Array.of(0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1), 4);
  const { advantages } = treatedAdvantages([focalDifficulty({ gamma: 2 })], given);
  advantages.forEach((advantage, row) => {
    const success = [0.25, 0.75, 1][Math.floor(row / 4)]!;
    expect(advantage).toBeCloseTo(given.advantages[row]! * (1 - success) ** 2, 12);
  });
  expect(treatedAdvantages([focalDifficulty({ gamma: 0 })], given).advantages).toEqual(given.advantages);
  // Rewards of another range, and factors of several treatments multiply.
  const shifted = groupAdvantages(Float64Array.of(-1, 3, 3, 3), 4);
  const twice = treatedAdvantages(
    [focalDifficulty({ gamma: 1, low: -1, high: 3 }), focalDifficulty({ gamma: 1, low: -1, high: 3 })],
    shifted,
  );
  expect(twice.advantages[0]).toBeCloseTo(shifted.advantages[0]! / 16, 12);
});

test('inverse probability gives every outcome of a group the same total, however often it occurs', () => {
  const treatment = inverseProbability({ outcome: ({ text }) => text });
  fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 12 }), async (texts) => {
      const rewards = await treatedRewards(
        [treatment],
        batchOf(
          texts,
          texts.map(() => 2),
        ),
      );
      const totals = new Map<string, number>();
      for (const [row, text] of texts.entries()) totals.set(text, (totals.get(text) ?? 0) + rewards[row]!);
      for (const total of totals.values()) expect(total).toBeCloseTo(2 * texts.length, 9);
    }),
    { seed: 1 },
  );
});

test('inverse probability counts within groups, from the smallest reward, and skips missing rewards', async () => {
  const batch = batchOf(['a', 'a', 'b', 'a', 'c', 'c'], [1, 0, 1, 1, Number.NaN, -1], 3);
  const treatment = inverseProbability({ outcome: ({ text }) => text, low: -1 });
  expect([...(await treatedRewards([treatment], batch))]).toEqual([2, 0.5, 5, 5, Number.NaN, -1]);
  expect([...batch.rewards].slice(0, 2)).toEqual([1, 0]);
  await expect(treatedRewards([inverseProbability({ outcome: () => '' })], batch)).rejects.toThrow(
    'got a reward of -1 at row 5, below low 0',
  );
});

test('completion density divides by 1 + the similarities to the other completions of the group', async () => {
  const rows: Record<string, number[]> = {
    east: [2, 0],
    'east too': [1, 0],
    north: [0, 3],
    west: [-1, 0],
    none: [0, 0],
  };
  const embedder = embedderFrom({ name: 'compass', dimensions: 2, embed: (texts) => texts.map((text) => rows[text]!) });
  const treatment = completionDensity({ embedder });
  const batch = batchOf(['east', 'east too', 'north', 'west', 'none', 'east'], [6, 6, 6, 6, 6, 6], 3);
  const expected = [3, 3, 6, 6, 6, 6]; // opposite completions are not similar, nor is a row of zeros
  const treated = await treatedRewards([treatment], batch);
  treated.forEach((reward, row) => {
    expect(reward).toBeCloseTo(expected[row]!, 6);
  });
  await expect(treatedRewards([treatment], batchOf(['east'], [-1]))).rejects.toThrow(TrainingError);
});

test('unknown, missing and impossible options are refused', () => {
  const refused: [() => unknown, string][] = [
    [() => focalDifficulty({ gama: 1 } as object), 'did you mean "gamma"'],
    [() => focalDifficulty({ gamma: -1 }), 'gamma must be ≥ 0, got -1'],
    [() => focalDifficulty({ low: 2 }), 'high must be above low, got high 1 and low 2'],
    [() => focalDifficulty({ high: Number.NaN }), 'high must be a finite number, got NaN'],
    [() => inverseProbability({} as never), 'inverseProbability needs outcome'],
    [() => completionDensity({ embedder: {} } as never), 'embedder'],
  ];
  for (const [create, message] of refused) {
    expect(create).toThrow(InvalidArgumentError);
    expect(create).toThrow(message);
  }
});
