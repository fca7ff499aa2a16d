import { InvalidArgumentError, InvalidWeightsError } from '@rarefy/core';
import { weightedSampler } from '@rarefy/samplers';
import { expect, test } from 'vitest';
import { grpoLoader } from './grpo-loader.js';
import { importanceWeights } from './importance.js';

const size = 40;
const prompts = Array.from({ length: size }, (_, position) => ({ prompt: `${position}` }));
const value = (position: number) => Math.sin(position) + position / size;
const weights = Float64Array.from({ length: size }, (_, position) => 1 + (position % 7) ** 2);
const uniform = new Float64Array(size).fill(1 / size);
const skewed = Float64Array.from({ length: size }, (_, position) => (position + 1) / ((size * (size + 1)) / 2));

/** Mean of w · f over 64,000 draws of the loader, and its standard error. */
async function weightedMean(
  options: Partial<Parameters<typeof grpoLoader>[1]>,
): Promise<{ mean: number; error: number }> {
  const loader = grpoLoader(prompts, {
    sampler: weightedSampler(weights, { seed: 4 }),
    batchSize: 64,
    groupSize: 1,
    ...options,
  });
  const values: number[] = [];
  for await (const { positions, importance, step } of loader) {
    for (const [draw, position] of positions.entries()) values.push((importance?.[draw] ?? 1) * value(position));
    if (step === 1000) break;
  }
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const variance = values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (values.length - 1);
  return { mean, error: Math.sqrt(variance / values.length) };
}
const expectation = (p: Float64Array) =>
  p.reduce((sum, probability, position) => sum + probability * value(position), 0);

test('with full importance, means over draws estimate means under the target: E_q[w f] = E_p[f] (5 standard errors)', async () => {
  for (const [target, options] of [
    [uniform, {}],
    [skewed, { target: skewed }],
  ] as const) {
    const { mean, error } = await weightedMean({ importance: 'full', ...options });
    expect(Math.abs(mean - expectation(target))).toBeLessThan(5 * error);
  }
});

test('without importance, means over draws differ from means under the target', async () => {
  const { mean, error } = await weightedMean({});
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  expect(Math.abs(mean - expectation(weights.map((weight) => weight / total)))).toBeLessThan(5 * error);
  expect(Math.abs(mean - expectation(uniform))).toBeGreaterThan(5 * error);
});

test('beta interpolates between none and full', () => {
  const positions = Int32Array.of(0, 1);
  const q = Float64Array.of(0.5, 0.01);
  expect([...importanceWeights(positions, q, 'none', 10)]).toEqual([1, 1]);
  expect([...importanceWeights(positions, q, { beta: 0 }, 10)]).toEqual([1, 1]);
  expect([...importanceWeights(positions, q, 'full', 10)]).toEqual([0.1 / 0.5, 0.1 / 0.01]);
  expect(importanceWeights(positions, q, { beta: 0.5 }, 10)[1]).toBeCloseTo(Math.sqrt(10), 12);
});

test('invalid probabilities and targets, and samplers without probabilities, are refused', async () => {
  const weigh = (q: number, importance: Parameters<typeof importanceWeights>[2], target?: Float64Array) => () =>
    importanceWeights(Int32Array.of(0), Float64Array.of(q), importance, 2, target);
  expect(weigh(0.5, { beta: 2 })).toThrow(InvalidArgumentError);
  expect(weigh(0.5, 'full', Float64Array.of(1))).toThrow(InvalidArgumentError);
  expect(weigh(0, 'full')).toThrow(InvalidWeightsError);
  expect(weigh(0.5, 'full', Float64Array.of(Number.NaN, 1))).toThrow(InvalidWeightsError);
  const silent = { ...weightedSampler(weights, { seed: 1 }), draw: () => ({ positions: Int32Array.of(1) }) };
  const loader = grpoLoader(prompts, { sampler: silent, batchSize: 1, importance: 'full' });
  await expect(loader[Symbol.asyncIterator]().next()).rejects.toThrow(
    'importance weights need the probability of each draw',
  );
});
