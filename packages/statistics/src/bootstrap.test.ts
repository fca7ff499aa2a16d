import { counterRandom, NotFiniteError, ShapeError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { stratifiedBootstrap } from './bootstrap.js';
import { normalQuantile } from './distributions.js';

const random = counterRandom(21);
const normal = (index: number) => normalQuantile(random.uniform(index));

/** runs x prompts: mean + run effect + prompt effect (the same for every arm) + noise. */
function arm(
  number: number,
  runs: number,
  prompts: number,
  { mean = 0, run = 1, prompt = 1, noise = 1 } = {},
): number[][] {
  return Array.from({ length: runs }, (_, r) =>
    Array.from({ length: prompts }, (_, p) => {
      const index = 1_000_000 * number + 1000 * r + p;
      return (
        mean + run * normal(1_000_000 * number + 999_000 + r) + prompt * normal(90_000_000 + p) + noise * normal(index)
      );
    }),
  );
}

describe('levels', () => {
  test('what all runs share about a prompt cancels in a difference', () => {
    const few = { run: 0, noise: 0, prompt: 10 };
    const result = stratifiedBootstrap([arm(1, 4, 12, { ...few, mean: 3 }), arm(2, 4, 12, few)], { resamples: 500 });
    expect(result.estimate).toBeCloseTo(3, 12);
    expect(result.standardError).toBeLessThan(1e-12);
    expect(stratifiedBootstrap([arm(1, 4, 12, few)], { resamples: 500 }).standardError).toBeGreaterThan(1);
  });

  // The standard error of a bootstrap is that of the level with n for n - 1 in the variance. 20,000 resamples estimate it to
  // 0.5 %; 3 % are 6 standard errors.
  test.each([
    { resample: 'runs', run: 1, prompt: 0 },
    { resample: 'prompts', run: 0, prompt: 1 },
    { resample: 'runs-and-prompts', run: 1, prompt: 1 },
  ] as const)('the standard error over $resample is that of a sum of runs and prompts', ({ resample, run, prompt }) => {
    const runs = Array.from({ length: 9 }, (_, r) => normal(500 + r));
    const prompts = Array.from({ length: 16 }, (_, p) => normal(600 + p));
    const values = runs.map((r) => prompts.map((p) => r + p)); // no interaction: the variances add up exactly
    const { standardError } = stratifiedBootstrap([values], { resample, resamples: 20_000, seed: 3 });
    const expected = Math.sqrt(run * varianceOfMean(runs) + prompt * varianceOfMean(prompts));
    expect(Math.abs(standardError / expected - 1)).toBeLessThan(0.03);
  });

  test('differences between strata do not count, because every stratum keeps its size', () => {
    const values = Array.from({ length: 3 }, () => [1, 1, 1, 50, 50]);
    const strata = ['common', 'common', 'common', 'rare', 'rare'];
    const options = { resample: 'prompts', resamples: 200 } as const;
    expect(stratifiedBootstrap([values], { ...options, strata }).standardError).toBeLessThan(1e-12);
    expect(stratifiedBootstrap([values], options).standardError).toBeGreaterThan(5);
  });
});

function varianceOfMean(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length ** 2;
}

test('the statistic may be any function of the means, such as a share of a collapse', () => {
  const arms = [arm(1, 6, 10, { mean: 14 }), arm(2, 6, 10, { mean: 10 })];
  const result = stratifiedBootstrap(arms, {
    statistic: ([aware, uniform]) => (aware! - uniform!) / (20 - uniform!),
    resamples: 2000,
  });
  const mean = (runs: number[][]) => runs.flat().reduce((sum, value) => sum + value, 0) / 60;
  expect(result.estimate).toBeCloseTo((mean(arms[0]!) - mean(arms[1]!)) / (20 - mean(arms[1]!)), 12);
  expect(result.percentile[0]).toBeLessThan(result.estimate);
  expect(result.bca[1]).toBeGreaterThan(result.estimate);
});

test('depends on values, options and seed alone', () => {
  const arms = [arm(1, 5, 6), arm(2, 5, 6)];
  const options = { strata: [0, 0, 1, 1, 1, 2], resamples: 300 };
  expect(stratifiedBootstrap(arms, options)).toEqual(stratifiedBootstrap(arms, { ...options, seed: 0 }));
  expect(stratifiedBootstrap(arms, { ...options, seed: 1 })).not.toEqual(stratifiedBootstrap(arms, options));
});

test('values that never vary have percentile intervals of no width and no BCa interval', () => {
  const result = stratifiedBootstrap([[[2], [2]]], { resamples: 50 });
  expect(result).toMatchObject({ estimate: 2, standardError: 0, percentile: [2, 2] });
  expect(result.bca).toEqual([Number.NaN, Number.NaN]);
});

// 400 experiments: a coverage of 95 % has a standard error of 1.1 %. The bootstrap of 12 runs per arm covers less, some 92 %.
test('the interval of a difference over runs and prompts covers the truth', () => {
  let covered = 0;
  for (let experiment = 0; experiment < 400; experiment++) {
    const arms = [arm(2 * experiment + 200, 12, 8, { mean: 1 }), arm(2 * experiment + 201, 12, 8)];
    const { percentile } = stratifiedBootstrap(arms, { resamples: 300, seed: experiment });
    if (percentile[0] <= 1 && 1 <= percentile[1]) covered++;
  }
  expect(covered / 400).toBeGreaterThan(0.89);
  expect(covered / 400).toBeLessThan(0.99);
});

test('refuses wrong arguments', () => {
  expect(() => stratifiedBootstrap([])).toThrow('arms must be a non-empty array of arms, got');
  expect(() => stratifiedBootstrap([[]])).toThrow('arm 0 must be a non-empty array of runs');
  expect(() => stratifiedBootstrap([[[1, 2]], [[1]]])).toThrow(ShapeError);
  expect(() => stratifiedBootstrap([[[1, Number.NaN]]])).toThrow(NotFiniteError);
  expect(() => stratifiedBootstrap([[[1]], [[1]], [[1]]])).toThrow('the means of 3 arms');
  expect(() => stratifiedBootstrap([[[1, 2]]], { strata: [1] })).toThrow('strata has 1 entries for 2 prompts');
  expect(() => stratifiedBootstrap([[[1]]], { resample: 'seeds' as never })).toThrow('resample must be one of');
  expect(() => stratifiedBootstrap([[[1]]], { statistic: 3 as never })).toThrow('statistic must be a function');
});
