import { expect, test } from 'vitest';
import { gatherGroups, type ScoredBatch } from './gather-groups.js';
import { groupAdvantages } from './losses/advantages.js';

/** Whether the rewards differ in each of the two groups of a batch. */
type Spread = readonly [boolean, boolean];

/** Batches of 2 groups of 3. `spread` says whether the rewards of each group differ; if they do, the reward of row r is r. */
function batches(spread: readonly Spread[]): () => Promise<ScoredBatch<string>> {
  let next = 0;
  return async () => {
    const index = next++;
    const flags = spread[index]!;
    const total = Float64Array.from({ length: 6 }, (_, row) => (flags[Math.floor(row / 3)] ? row : 7));
    return {
      batch: {
        step: index + 1,
        positions: Int32Array.of(2 * index, 2 * index + 1),
        prompts: [`${2 * index}`, `${2 * index + 1}`],
        groupSize: 3,
        importance: Float64Array.of(2 * index + 0.5, 2 * index + 1.5),
        first: 2 * index,
        version: 0,
        staleness: 0,
        state: {
          version: 1,
          step: index + 1,
          draws: 2 * index + 2,
          digest: '',
          prompts: { count: 2, digest: '', prefixes: '' },
          sampler: { version: 1, fingerprint: '', payload: 0 },
        },
      },
      written: {
        completions: Array.from({ length: 6 }, (_, row) => ({
          prompt: '',
          text: '',
          position: 2 * index + Math.floor(row / 3),
          ids: Int32Array.of(row),
          terminated: true,
        })),
        promptIds: [Int32Array.of(2 * index), Int32Array.of(2 * index + 1)],
        groupSize: 3,
      },
      scores: { total, rewards: { only: total } },
      treated: total,
    };
  };
}
const advantagesOf = (treated: Float64Array, _scores: unknown, groupSize: number) =>
  groupAdvantages(treated, groupSize);
const learned = async (maxRefills: number, ...spread: Spread[]) => {
  const gathered = await gatherGroups(batches(spread), { maxRefills, advantagesOf });
  expect(gathered.learned.completions).toHaveLength(gathered.learned.promptIds.length * 3);
  gathered.learned.completions.forEach(({ position }, row) => {
    expect(gathered.learned.promptIds[Math.floor(row / 3)]![0]).toBe(position); // rows match their prompts
    expect(gathered.importance![row]).toBe(position + 0.5);
  });
  return { groups: gathered.learned.promptIds.map(([id]) => id), drawn: gathered.batches.length, gathered };
};

test('without refills a batch is used unchanged', async () => {
  const { groups, drawn } = await learned(0, [true, false]);
  expect([groups, drawn]).toEqual([[0, 1], 1]);
});

test('groups without spread are replaced by groups of the next batches, in order, and surplus groups are dropped', async () => {
  const { groups, drawn, gathered } = await learned(5, [false, true], [false, false], [true, true], [true, true]);
  expect([groups, drawn]).toEqual([[1, 4], 3]);
  expect(gathered.advantages.zeroSpread).toBeCloseTo(3 / 6, 12); // of all drawn groups
  expect([...gathered.learnedAdvantages]).toEqual([
    ...gathered.advantages.advantages.subarray(3, 6),
    ...gathered.advantages.advantages.subarray(12, 15),
  ]);
});

test('draws no more batches than needed or allowed, and then learns from fewer groups', async () => {
  expect(await learned(5, [true, true])).toMatchObject({ groups: [0, 1], drawn: 1 });
  expect(await learned(1, [false, true], [false, false])).toMatchObject({ groups: [1], drawn: 2 });
  expect(await learned(1, [false, false], [false, false])).toMatchObject({ groups: [0, 1], drawn: 2 });
});
