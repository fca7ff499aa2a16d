import { expect, test } from 'vitest';
import { openRewards, parseReward } from './rewards.js';

test.each([
  ['model', 'reward_model', 'model', 1],
  ['length:0.25', 'length', 'length', 0.25],
  ['./my-reward.ts', 'my-reward', './my-reward.ts', 1],
  ['vowels=rewards/vowels.mjs:-2', 'vowels', 'rewards/vowels.mjs', -2],
  ['own=C:\\rewards\\own.ts:.5', 'own', 'C:\\rewards\\own.ts', 0.5],
  ['a=b=c.ts:1e-3', 'a', 'b=c.ts', 1e-3],
  ['./with:colon.ts', 'with:colon', './with:colon.ts', 1],
])('--reward %s', (text, name, source, weight) => {
  expect(parseReward(text)).toEqual({ name, source, weight });
});

test.each([
  ['lenght:0.5', 'got "lenght". Did you mean length?'],
  ['Model', 'got "Model". Did you mean model?'],
  ['reward.py', 'got "reward.py".'],
])('--reward %s is refused', async (reward, message) => {
  const failed = openRewards({ reward: [reward], rewardModel: 'rm', rewardWords: 10 });
  await expect(failed).rejects.toThrow(`--reward must be model, length, recorded, or a .ts or .js file; ${message}`);
});
