import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bootstrapIntervals, stratifiedBootstrap } from './bootstrap.js';
import { noncentralTCdf, tQuantile } from './distributions.js';
import { effectSize, type Interval } from './effect-size.js';
import { holm } from './holm.js';
import { type Alternative, alternatives, pairingCorrelation, permutationTest, signFlipTest } from './permutation.js';
import { minimumDetectableEffect } from './power.js';
import { varianceComponents } from './variance-components.js';

type Probabilities = Readonly<Partial<Record<Alternative, number>>>;

/** Values of SciPy and statsmodels. tests/golden/README.md says how they were made. */
const golden = JSON.parse(readFileSync(new URL('../../../tests/golden/statistics.json', import.meta.url), 'utf8')) as {
  readonly permutation: (Probabilities & { a: number[]; b: number[] })[];
  readonly sign_flip: (Probabilities & { differences: number[] })[];
  readonly correlation: { a: number[]; b: number[]; value: number }[];
  readonly holm: { p: number[]; adjusted: number[] }[];
  readonly effects: {
    a: number[];
    b: number[];
    level: number;
    interval: Interval;
    degrees: number;
    g: number;
    hedges_interval: Interval;
  }[];
  readonly noncentral_t: { value: number; degrees: number; noncentrality: number; probability: number }[];
  readonly t_quantiles: { probability: number; degrees: number; value: number }[];
  readonly detectable_by_t: {
    a: number;
    b: number;
    alpha: number;
    power: number;
    alternative: Alternative;
    effect: number;
  }[];
  readonly bootstrap: {
    samples: number[][];
    level: number;
    distribution: number[];
    percentile: Interval;
    bca: Interval;
    standard_error: number;
    precise: { percentile: Interval; bca: Interval; standard_error: number };
  }[];
  readonly variance: {
    values: number[][][];
    mean_squares: Record<'run' | 'prompt' | 'runPrompt' | 'sample', number>;
  };
};

function expectClose(actual: number, expected: number, tolerance = 1e-9) {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(expected)));
}

function expectInterval(actual: Interval, expected: Interval, tolerance = 1e-9) {
  expectClose(actual[0], expected[0], tolerance);
  expectClose(actual[1], expected[1], tolerance);
}

describe.each(alternatives)('%s', (alternative) => {
  test.each(golden.permutation)('the permutation p of $a and $b equals SciPy', (given) => {
    const expected = given[alternative]; // SciPy's two-sided p differs by definition if sizes differ
    if (expected !== undefined) expectClose(permutationTest(given.a, given.b, { alternative }).p, expected);
  });

  test.each(golden.sign_flip)('the sign-flip p of $differences equals SciPy', (given) => {
    expectClose(signFlipTest(given.differences, { alternative }).p, given[alternative]!);
  });
});

test.each(golden.correlation)('the correlation of $a and $b equals SciPy', ({ a, b, value }) => {
  expectClose(pairingCorrelation(a, b), value);
});

test.each(golden.holm)('the adjusted p values of $p equal statsmodels', ({ p, adjusted }) => {
  for (const [index, value] of holm(p).entries()) expectClose(value, adjusted[index]!, 1e-12);
});

test.each(golden.effects)('effect size and intervals of $a and $b equal SciPy', ({ a, b, level, ...expected }) => {
  const effect = effectSize(a, b, { level });
  expectClose(effect.degreesOfFreedom, expected.degrees);
  expectInterval(effect.interval, expected.interval, 1e-7);
  expectClose(effect.hedgesG, expected.g);
  expectInterval(effect.hedgesInterval, expected.hedges_interval, 1e-6);
});

test.each(golden.noncentral_t)('noncentral t of $value with $degrees, $noncentrality equals SciPy', (given) => {
  const { value, degrees, noncentrality, probability } = given;
  expectClose(noncentralTCdf(value, degrees, noncentrality), probability, 1e-8);
});

test.each(golden.t_quantiles)('the t quantile of $probability with $degrees equals SciPy', (given) => {
  expectClose(tQuantile(given.probability, given.degrees), given.value, 1e-7);
});

test.each(golden.detectable_by_t)('the detectable effect of a t test of $a and $b equals statsmodels', (given) => {
  const { a, b, effect, ...options } = given;
  const found = minimumDetectableEffect({ ...options, sizes: [a, b], deviation: 2, test: 't' });
  // statsmodels solves for the power to 5 digits.
  expectClose(found / 2, effect, 1e-4);
});

describe.each(golden.bootstrap)('bootstrap of $samples', ({ samples, level, distribution, ...expected }) => {
  const arms = samples.map((sample) => sample.map((value) => [value])); // one prompt: the runs are the only level
  const without = (sample: readonly number[], left: number) => sample.filter((_, index) => index !== left);
  const mean = (sample: readonly number[]) => sample.reduce((sum, value) => sum + value, 0) / sample.length;
  const statistic = ([a, b]: readonly number[][]) => mean(a!) - (b === undefined ? 0 : mean(b));

  test('intervals from the resamples of SciPy equal SciPy', () => {
    const jackknife = samples.map((sample, index) =>
      sample.map((_, left) => statistic(samples.with(index, without(sample, left)))),
    );
    const intervals = bootstrapIntervals(Float64Array.from(distribution), statistic(samples), jackknife, level);
    expectInterval(intervals.percentile, expected.percentile, 1e-12);
    expectInterval(intervals.bca, expected.bca);
    expectClose(intervals.standardError, expected.standard_error, 1e-12);
  });

  // An end varies with the seed by about 0.7 % of the standard error here and 0.3 % in SciPy's 200,000 resamples.
  test('intervals from 50,000 resamples equal those of SciPy to 3 % of the standard error', () => {
    const { precise } = expected;
    const result = stratifiedBootstrap(arms, { level, resamples: 50_000, seed: 1 });
    expectClose(result.estimate, statistic(samples), 1e-12);
    const tolerance = 0.03 * precise.standard_error;
    expectInterval(result.percentile, precise.percentile, tolerance);
    expectInterval(result.bca, precise.bca, tolerance);
    expectClose(result.standardError, precise.standard_error, tolerance);
  });
});

test('mean squares that the variance components imply equal the analysis of variance of statsmodels', () => {
  const { values, mean_squares } = golden.variance;
  const { run, prompt, runPrompt, sample } = varianceComponents(values);
  const samples = 3;
  const ofCells = sample.value + samples * runPrompt.value;
  expectClose(sample.value, mean_squares.sample);
  expectClose(ofCells, mean_squares.runPrompt);
  expectClose(ofCells + 6 * samples * run.value, Math.max(mean_squares.runPrompt, mean_squares.run));
  expectClose(ofCells + 5 * samples * prompt.value, mean_squares.prompt);
  expect([run, prompt, runPrompt, sample].map(({ negative }) => negative)).toEqual([true, false, false, false]);
});
