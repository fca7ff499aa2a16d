import { expect, test } from 'vitest';
import { parseOptions } from '../shell/parse-options.js';
import { openRewards, parseReward, rewardOptions } from './rewards.js';

test.each([
  ['model', 'reward_model', 'model', 1],
  ['length:0.25', 'length', 'length', 0.25],
  ['./my-reward.ts', 'my-reward', './my-reward.ts', 1],
  ['vowels=rewards/vowels.mjs:-2', 'vowels', 'rewards/vowels.mjs', -2],
  ['own=C:\\rewards\\own.ts:.5', 'own', 'C:\\rewards\\own.ts', 0.5],
  ['a=b=c.ts:1e-3', 'a', 'b=c.ts', 1e-3],
  ['./with:colon.ts', 'with:colon', './with:colon.ts', 1],
  ['http://localhost:9000', 'localhost:9000', 'http://localhost:9000', 1],
  ['http://localhost:9000:2', 'localhost:9000', 'http://localhost:9000', 2],
  ['judge=http://localhost:9000/v1/rewards:0.5', 'judge', 'http://localhost:9000/v1/rewards', 0.5],
  ['https://host.example/score:-1', 'score', 'https://host.example/score', -1],
  ['http://[::1]:9000:0.5', '[::1]:9000', 'http://[::1]:9000', 0.5],
])('--reward %s', (text, name, source, weight) => {
  expect(parseReward(text)).toEqual({ name, source, weight });
});

test.each([
  ['lenght:0.5', 'got "lenght". Did you mean length?'],
  ['Model', 'got "Model". Did you mean model?'],
  ['reward.py', 'got "reward.py".'],
])('--reward %s is refused', async (reward, message) => {
  const { values, given } = parseOptions(rewardOptions, ['--reward', reward]);
  await expect(openRewards(values, given)).rejects.toThrow(
    `--reward must be model, length, recorded, the folder of a reward model, the address of a service, or a .ts or .js file; ${message}`,
  );
});
