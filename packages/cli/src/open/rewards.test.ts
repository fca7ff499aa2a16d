import { expect, test } from 'vitest';
import { parseReward } from './rewards.js';

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
