import { InvalidArgumentError, TrainingError } from '@rarefy/core';
import { expect, test } from 'vitest';
import type { Completion } from '../rollout/rollout.js';
import { lengthReward } from './built-in-rewards.js';
import { combineRewards, type RewardFunction, scoreCompletions } from './reward-function.js';

const completions = ['', 'one two', 'one two three four', 'a b c d e f g h'].map(
  (text, position): Completion => ({ prompt: 'p', text, position, ids: new Int32Array(0), terminated: true }),
);
const gives =
  (...values: number[]): RewardFunction =>
  () =>
    Float64Array.from(values);

test('lengthReward is 1 at the target and falls by distance / target', async () => {
  expect(Array.from(await lengthReward({ target: 4 })(completions))).toEqual([0, 0.5, 1, 0]);
  expect(Array.from(await lengthReward({ target: 2 })(completions))).toEqual([0, 1, 0, -2]);
  for (const target of [0, -1, Number.NaN, Infinity]) {
    expect(() => lengthReward({ target })).toThrow(InvalidArgumentError);
  }
});

test('the total is the weighted sum, and each reward is kept by name', async () => {
  const parts = [
    { name: 'length', reward: lengthReward({ target: 4 }) },
    { name: 'slow', reward: async () => Float64Array.of(1, 2, 3, 4), weight: -0.5 },
  ];
  const { total, rewards } = await scoreCompletions(parts, completions);
  expect(Array.from(total)).toEqual([-0.5, -0.5, -0.5, -2]);
  expect(Object.fromEntries(Object.entries(rewards).map(([name, values]) => [name, [...values]]))).toEqual({
    length: [0, 0.5, 1, 0],
    slow: [1, 2, 3, 4],
  });
  expect(await combineRewards(parts)(completions)).toEqual(total);
});

test('a reward that does not apply is null, and does not count', async () => {
  const parts = [
    { name: 'code', reward: () => [1, null, null, 3] },
    { name: 'prose', reward: gives(1, 2, 3, 4), weight: 2 },
  ];
  const { total, rewards } = await scoreCompletions(parts, completions);
  expect([...total]).toEqual([3, 4, 6, 11]);
  expect([...rewards.code!]).toEqual([1, Number.NaN, Number.NaN, 3]);
  const alone = combineRewards([parts[0]!]);
  expect(await alone(completions)).toEqual([1, null, null, 3]);
  expect([...(await scoreCompletions([{ name: 'nested', reward: alone }], completions)).total]).toEqual([
    1,
    Number.NaN,
    Number.NaN,
    3,
  ]);
});

test('options reach every reward, and an abort rejects with its reason', async () => {
  const seen: unknown[] = [];
  const options = { signal: new AbortController().signal };
  const reward: RewardFunction = (rows, given) => {
    seen.push(given);
    return new Float64Array(rows.length);
  };
  await scoreCompletions(
    [
      { name: 'a', reward },
      { name: 'b', reward },
    ],
    completions,
    options,
  );
  const given = { ...options, logMetric: expect.any(Function) };
  expect(seen).toEqual([given, given]);
  const reason = new Error('enough');
  await expect(
    scoreCompletions([{ name: 'a', reward }], completions, { signal: AbortSignal.abort(reason) }),
  ).rejects.toBe(reason);
});

test('a reward that is NaN, infinite or missing is refused, naming function and row', async () => {
  const run = (...values: number[]) => scoreCompletions([{ name: 'judge', reward: gives(...values) }], completions);
  await expect(run(1, 2, Number.NaN, 4)).rejects.toThrow("reward 'judge' returned NaN for row 2");
  await expect(run(1, 2, 3, -Infinity)).rejects.toThrow("reward 'judge' returned -Infinity for row 3");
  await expect(run(1, 2, 3)).rejects.toThrow("reward 'judge' returned 3 values for 4 completions");
  await expect(run(1, 2, 3)).rejects.toBeInstanceOf(TrainingError);
});

test('no rewards, a repeated name and a weight that is not finite are refused', async () => {
  const reward = gives(1, 2, 3, 4);
  await expect(scoreCompletions([], completions)).rejects.toThrow(InvalidArgumentError);
  const twice = [
    { name: 'a', reward },
    { name: 'a', reward },
  ];
  await expect(scoreCompletions(twice, completions)).rejects.toThrow("two rewards are named 'a'");
  await expect(scoreCompletions([{ name: 'a', reward, weight: Number.NaN }], completions)).rejects.toThrow('NaN');
});

test('metrics that a reward logs are averaged under its name', async () => {
  const logging: RewardFunction = (rows, { logMetric } = {}) => {
    logMetric?.('cut', 0.5);
    logMetric?.('cut', 0.25);
    logMetric?.('long', 1);
    return new Float64Array(rows.length);
  };
  const { metrics } = await scoreCompletions(
    [
      { name: 'a', reward: logging },
      { name: 'b', reward: logging },
    ],
    completions,
  );
  const of = (name: string) => ({ [`rewards/${name}/cut`]: 0.375, [`rewards/${name}/long`]: 1 });
  expect(metrics).toEqual({ ...of('a'), ...of('b') });
  const combined = combineRewards([{ name: 'inner', reward: logging }]);
  expect((await scoreCompletions([{ name: 'outer', reward: combined }], completions)).metrics).toEqual({
    ...{ 'rewards/outer/inner/cut': 0.375, 'rewards/outer/inner/long': 1 },
  });
  for (const [name, value, message] of [
    ['mean', 1, 'reward \'a\' logged a metric named "mean"; use another name than mean and std'],
    ['', 1, "reward 'a' logged a metric named"],
    ['cut', Number.NaN, "reward 'a' logged NaN as 'cut'; metrics must be finite numbers"],
  ] as const) {
    const wrong: RewardFunction = (rows, { logMetric } = {}) => {
      logMetric?.(name, value);
      return new Float64Array(rows.length);
    };
    await expect(scoreCompletions([{ name: 'a', reward: wrong }], completions)).rejects.toThrow(message);
  }
});
