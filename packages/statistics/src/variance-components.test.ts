import { counterRandom } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { normalQuantile } from './distributions.js';
import { runMeanVariance, varianceComponents } from './variance-components.js';

const random = counterRandom(31);

/** runs x prompts x samples with the given standard deviations. */
function simulated(
  experiment: number,
  [runs, prompts, samples]: readonly [number, number, number],
  deviations: { run: number; prompt: number; runPrompt: number; sample: number },
): number[][][] {
  const stream = random.fork(experiment);
  let next = 0;
  const normal = () => normalQuantile(stream.uniform(next++));
  const draw = (count: number, deviation: number) => Array.from({ length: count }, () => deviation * normal());
  const ofPrompts = draw(prompts, deviations.prompt);
  return draw(runs, deviations.run).map((run) =>
    ofPrompts.map((prompt) => {
      const cell = deviations.runPrompt * normal();
      return draw(samples, deviations.sample).map((sample) => 5 + run + prompt + cell + sample);
    }),
  );
}

describe('known components', () => {
  const deviations = { run: 1, prompt: 2, runPrompt: 1.5, sample: 3 };
  const size = [8, 12, 4] as const;
  const found = Array.from({ length: 400 }, (_, experiment) =>
    varianceComponents(simulated(experiment, size, deviations)),
  );
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  // The variance of a run is estimated with a relative standard deviation of 0.8, the others below 0.5, so the mean of 400
  // has a relative standard error of at most 4 %; 16 % are four of them. Estimates below 0, which are rare here, are cut.
  test.each(Object.entries(deviations))('%s is right on average', (name, deviation) => {
    const values = found.map((components) => components[name as keyof typeof deviations].value);
    expect(Math.abs(mean(values) / deviation ** 2 - 1)).toBeLessThan(0.16);
  });

  test('the variance of a run mean is that of the simulated runs', () => {
    const expected = 1 + 1.5 ** 2 / 12 + 9 / 48;
    expect(Math.abs(mean(found.map(({ meanVariance }) => meanVariance)) / expected - 1)).toBeLessThan(0.16);
    expect(mean(found.map((components) => components.run.share))).toBeGreaterThan(0.02);
  });
});

test('shares and parts add up, and the advice names the largest part', () => {
  const cases = [
    [{ run: 3, prompt: 1, runPrompt: 1, sample: 1 }, 'runs'],
    [{ run: 0.1, prompt: 1, runPrompt: 4, sample: 1 }, 'prompts'],
    [{ run: 0.1, prompt: 9, runPrompt: 0.2, sample: 6 }, 'samples'],
  ] as const;
  for (const [deviations, more] of cases) {
    const components = varianceComponents(simulated(1000, [10, 20, 3], deviations));
    const { run, prompt, runPrompt, sample, meanVariance } = components;
    expect(run.share + prompt.share + runPrompt.share + sample.share).toBeCloseTo(1, 12);
    expect(runMeanVariance(components, { prompts: 20, samples: 3 })).toBeCloseTo(meanVariance, 12);
    expect(components.more).toBe(more);
    const at = (prompts: number, samples: number) => runMeanVariance(components, { prompts, samples });
    expect(at(40, 3)).toBeLessThanOrEqual(at(20, 6)); // as many answers
    expect(at(1e9, 1)).toBeCloseTo(run.value, 6);
  }
});

test('the variance of run means is exactly the sum of its parts if no estimate is negative', () => {
  const values = simulated(7, [6, 5, 2], { run: 2, prompt: 1, runPrompt: 1, sample: 1 });
  const components = varianceComponents(values);
  const means = values.map((run) => run.flat().reduce((sum, value) => sum + value, 0) / 10);
  const mean = means.reduce((sum, value) => sum + value, 0) / 6;
  const variance = means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 5;
  expect(components.run.negative || components.runPrompt.negative).toBe(false);
  expect(components.meanVariance).toBeCloseTo(variance, 12);
});

test('negative estimates are 0 with a flag', () => {
  // Every run has the same mean, so runs vary less than chance lets them.
  const components = varianceComponents([
    [
      [1, 3],
      [4, 2],
    ],
    [
      [2, 4],
      [1, 3],
    ],
  ]);
  expect(components.run).toEqual({ value: 0, share: 0, negative: true });
  expect(
    varianceComponents([
      [[1], [1]],
      [[1], [1]],
    ]).run.share,
  ).toBeNaN();
});

test('one sample per prompt does not separate samples from cells', () => {
  const values = simulated(3, [5, 6, 1], { run: 1, prompt: 1, runPrompt: 1, sample: 1 });
  const components = varianceComponents(values);
  expect(components).toMatchObject({ separated: false, sample: { value: 0 }, samples: 1 });
  expect(runMeanVariance(components, { prompts: 12, samples: 1 })).toBeLessThan(components.meanVariance);
  expect(() => runMeanVariance(components, { prompts: 12, samples: 2 })).toThrow('samples must be 1, got 2');
});

test('refuses tables that are not balanced', () => {
  expect(() => varianceComponents([[[1], [2]]])).toThrow('values must have at least two runs, got 1');
  expect(() => varianceComponents([[[1]], [[1]]])).toThrow('run 0 must have at least two prompts, got 1');
  expect(() =>
    varianceComponents([
      [[1], [2]],
      [[1], [2], [3]],
    ]),
  ).toThrow('run 1 has 3 prompts and run 0 2');
  expect(() =>
    varianceComponents([
      [[1], [2]],
      [[1], [2, 3]],
    ]),
  ).toThrow('prompt 1 of run 1 has 2 samples');
  expect(() =>
    varianceComponents([
      [[1], []],
      [[1], [2]],
    ]),
  ).toThrow('prompt 1 of run 0 must have at least 1 value, got 0');
  expect(() =>
    varianceComponents([
      [[1], [Number.NaN]],
      [[1], [2]],
    ]),
  ).toThrow('must be finite');
});
