import { counterRandom } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { normalQuantile } from './distributions.js';
import { permutationTest } from './permutation.js';
import { minimumDetectableEffect, runsNeeded } from './power.js';

/** Share of simulated experiments in which the permutation test finds `effect`. Shares no code with the function that is tested. */
function foundShare(a: number, b: number, effect: number, alpha: number, experiments: number, seed: number): number {
  const random = counterRandom(seed);
  let found = 0;
  for (let experiment = 0; experiment < experiments; experiment++) {
    const values = Array.from({ length: a + b }, (_, run) =>
      normalQuantile(random.uniform(experiment * (a + b) + run)),
    );
    const shifted = values.slice(0, a).map((value) => value + effect);
    if (permutationTest(shifted, values.slice(a)).p <= alpha + 1e-12) found++;
  }
  return found / experiments;
}

// A share of 0.8 has a standard error of 0.4 / √experiments, at most 1 %; the simulation inside adds 0.9 % where it is used. Each
// tolerance is 4 standard errors of the difference: exceeded by chance in 1 of 15,000 seeds. An effect 5 % too small or too
// large would change the share by 0.05 to 0.06 and fail.
describe.each([
  { a: 4, b: 4, alpha: 0.05, experiments: 4000, isSimulated: true },
  { a: 5, b: 5, alpha: 0.01, experiments: 4000, isSimulated: true },
  { a: 6, b: 6, alpha: 0.05, experiments: 4000, isSimulated: true },
  { a: 4, b: 8, alpha: 0.05, experiments: 4000, isSimulated: true },
  { a: 8, b: 8, alpha: 0.05, experiments: 1500, isSimulated: false },
  { a: 8, b: 8, alpha: 0.004, experiments: 1500, isSimulated: false },
])('$a and $b runs at alpha $alpha', ({ a, b, alpha, experiments, isSimulated }) => {
  test('a planted effect of the detectable size is found with a power of 80 %', () => {
    const effect = minimumDetectableEffect({ sizes: [a, b], deviation: 1, alpha, seed: 1 });
    const error = Math.hypot(0.4 / Math.sqrt(experiments), isSimulated ? 0.4 / Math.sqrt(2000) : 0.005);
    expect(Math.abs(foundShare(a, b, effect, alpha, experiments, 5) - 0.8)).toBeLessThan(4 * error);
  });

  test('the detectable effect equals that of a simulation to 5 %', () => {
    const effect = minimumDetectableEffect({ sizes: [a, b], deviation: 1, alpha });
    expect(foundShare(a, b, effect * 1.05, alpha, experiments, 6)).toBeGreaterThan(0.8);
    expect(foundShare(a, b, effect * 0.95, alpha, experiments, 6)).toBeLessThan(0.8);
  });
});

test('no effect is detectable where the splits cannot give a p as small as alpha', () => {
  expect(minimumDetectableEffect({ sizes: [3, 3], deviation: 1 })).toBe(Number.POSITIVE_INFINITY);
  expect(minimumDetectableEffect({ sizes: [3, 3], deviation: 1, alternative: 'greater' })).toBeLessThan(5); // 1 / 20
  expect(minimumDetectableEffect({ sizes: [8, 8], deviation: 1, alpha: 1e-4 })).toBe(Number.POSITIVE_INFINITY); // 2 / 12,870
  expect(minimumDetectableEffect({ sizes: [1, 1], deviation: 1 })).toBe(Number.POSITIVE_INFINITY);
  expect(minimumDetectableEffect({ sizes: [1, 30], deviation: 1 })).toBeLessThan(7);
});

test('scales with the deviation, and falls with more runs and a looser level', () => {
  const effect = (sizes: [number, number], options = {}) =>
    minimumDetectableEffect({ sizes, deviation: 1, ...options });
  expect(effect([6, 6], { deviation: 0.01 })).toBeCloseTo(effect([6, 6]) / 100, 12);
  const falling = [4, 5, 6, 7, 8, 9, 10, 20, 100].map((size) => effect([size, size]));
  expect(falling).toEqual([...falling].sort((first, second) => second - first));
  expect(effect([8, 8], { alternative: 'less' })).toBeLessThan(effect([8, 8]));
  expect(effect([8, 8], { power: 0.95 })).toBeGreaterThan(effect([8, 8]));
  expect(effect([9, 9])).toBeCloseTo(effect([9, 9], { test: 't' }), 2);
});

test('runs needed is the inverse', () => {
  for (const [effect, test] of [
    [3, 'permutation'],
    [1.6, 'permutation'],
    [0.5, 'permutation'],
    [0.5, 't'],
    [5, 't'],
  ] as const) {
    const runs = runsNeeded({ effect, deviation: 1, test });
    expect(minimumDetectableEffect({ sizes: [runs, runs], deviation: 1, test })).toBeLessThanOrEqual(effect);
    if (runs > 2)
      expect(minimumDetectableEffect({ sizes: [runs - 1, runs - 1], deviation: 1, test })).toBeGreaterThan(effect);
  }
  expect(runsNeeded({ effect: 1000, deviation: 1 })).toBe(4); // 3 runs give no p below 0.1
  expect(runsNeeded({ effect: 1e-6, deviation: 1 })).toBe(Number.POSITIVE_INFINITY);
});

test('refuses wrong arguments', () => {
  expect(() => minimumDetectableEffect({ sizes: [4, 4], deviation: 0 })).toThrow('deviation must be above 0, got 0');
  expect(() => minimumDetectableEffect({ sizes: 8 as never, deviation: 1 })).toThrow('such as [8, 8], got 8');
  expect(() => minimumDetectableEffect({ sizes: [4, 0], deviation: 1 })).toThrow(
    'a size must be an integer ≥ 1, got 0',
  );
  expect(() => minimumDetectableEffect({ sizes: [1, 1], deviation: 1, test: 't' })).toThrow('three runs in all');
  expect(() => runsNeeded({ effect: 1, deviation: 1, power: 80 })).toThrow('power must be a number between 0 and 1');
  expect(() => runsNeeded({ effect: 1, deviation: 1, power: 0.05 })).toThrow('power must be above alpha');
  expect(() => runsNeeded({ deviation: 1 } as never)).toThrow('effect must be finite and ≥ 0, got undefined');
});
