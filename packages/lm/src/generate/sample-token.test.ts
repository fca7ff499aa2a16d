import { counterRandom } from '@rarefy/core';
import { expect, test } from 'vitest';
import { sampleToken } from './sample-token.js';

const logits = Float32Array.from([99, 2, 1, 0, 3, -1, 2, 98]); // the row is the middle six: ids 0 to 5
const draw = (options: Parameters<typeof sampleToken>[3], uniform: number) =>
  sampleToken(logits, 1, 6, options, uniform);

/** Chi-square test of 60,000 draws against the exact probabilities; false alarm below 1e-6 for up to 5 degrees of freedom. */
function expectShares(options: Parameters<typeof sampleToken>[3], shares: readonly number[]) {
  const random = counterRandom(11);
  const counts = new Float64Array(6);
  const draws = 60_000;
  for (let index = 0; index < draws; index++) counts[draw(options, random.uniform(index))]!++;
  const total = shares.reduce((sum, share) => sum + share, 0);
  let statistic = 0;
  shares.forEach((share, id) => {
    if (share === 0) expect(counts[id]).toBe(0);
    else statistic += (counts[id]! - (draws * share) / total) ** 2 / ((draws * share) / total);
  });
  expect(statistic).toBeLessThan(36.5); // the 1 - 1e-6 quantile at 5 degrees of freedom is 35.9
}
const row = [2, 1, 0, 3, -1, 2];

test('draws follow the softmax at any temperature', () => {
  expectShares({}, row.map(Math.exp));
  expectShares(
    { temperature: 2.5 },
    row.map((logit) => Math.exp(logit / 2.5)),
  );
});

test('top-k keeps k tokens, and the smaller id of a tie', () => {
  expectShares({ topK: 2 }, [Math.exp(2), 0, 0, Math.exp(3), 0, 0]);
  expectShares({ topK: 99 }, row.map(Math.exp));
});

test('top-p keeps the fewest tokens that reach the probability, and at least one', () => {
  const e = row.map(Math.exp);
  const total = e.reduce((sum, share) => sum + share, 0);
  expectShares({ topP: (e[3]! + e[0]!) / total - 1e-9 }, [e[0]!, 0, 0, e[3]!, 0, 0]);
  expectShares({ topP: 1e-12 }, [0, 0, 0, 1, 0, 0]);
});

test('temperature 0 takes the smallest id with the largest logit', () => {
  expect(draw({ temperature: 0 }, 0.999)).toBe(3);
  expect(sampleToken(Float32Array.from([1, 5, 5]), 0, 3, { temperature: 0 }, 0)).toBe(1);
});

test('the ends of [0, 1) and extreme logits stay in range', () => {
  expect(draw({}, 0)).toBe(0);
  expect(draw({}, 1 - 2 ** -53)).toBe(5);
  expect(sampleToken(Float32Array.from([-3e38, 3e38, -3e38]), 0, 3, {}, 1 - 2 ** -53)).toBe(1);
});

test('shares are exact to float64 rounding at any distance from the most likely token', () => {
  for (let below = 0; below < 690; below += 0.37) {
    const logit = Math.fround(-below);
    const share = Math.exp(logit) / (1 + Math.exp(logit)); // of token 1
    const pair = Float32Array.of(logit, 0);
    expect(sampleToken(pair, 0, 2, {}, share * (1 - 2e-15))).toBe(0);
    expect(sampleToken(pair, 0, 2, {}, share * (1 + 2e-15))).toBe(1);
  }
});
