import { counterRandom } from '@rarefy/core';
import { expect, test } from 'vitest';
import { normalQuantile } from './distributions.js';
import { effectSize } from './effect-size.js';

test('divides the difference by a change, whatever its sign', () => {
  const effect = effectSize([6, 7, 8], [2, 3, 4], { change: 10 });
  expect(effect.difference).toBeCloseTo(4, 12);
  expect(effect.share!.value).toBeCloseTo(0.4, 12);
  expect(effect.share!.interval).toEqual(effect.interval.map((end) => end / 10));
  const negative = effectSize([6, 7, 8], [2, 3, 4], { change: -10 }).share!;
  expect(negative.interval).toEqual([-effect.interval[1] / 10, -effect.interval[0] / 10]);
  expect(effectSize([6, 7], [2, 3])).not.toHaveProperty('share');
});

test('swapping the arms mirrors everything', () => {
  const forward = effectSize([1, 2, 4], [3, 5, 9, 4]);
  const backward = effectSize([3, 5, 9, 4], [1, 2, 4]);
  expect(backward.difference).toBeCloseTo(-forward.difference, 12);
  expect(backward.hedgesG).toBeCloseTo(-forward.hedgesG, 12);
  expect(backward.interval[0]).toBeCloseTo(-forward.interval[1], 9);
  expect(backward.hedgesInterval[1]).toBeCloseTo(-forward.hedgesInterval[0], 6);
});

test('runs that never vary have an interval of no width and no standardized difference', () => {
  const effect = effectSize([2, 2], [1, 1]);
  expect(effect).toMatchObject({ difference: 1, interval: [1, 1], deviation: 0 });
  expect(effect.hedgesG).toBeNaN();
  expect(effect.hedgesInterval).toEqual([Number.NaN, Number.NaN]);
  expect(effectSize([1e6, 1e6 + 1e-3], [0, 1e-3]).hedgesInterval.every(Number.isFinite)).toBe(true);
});

// 1,000 experiments: a coverage of 95 % has a standard error of 0.69 %, so each bound is 4 of them away (1 in 15,000 seeds).
test('both intervals cover the truth in 95 % of simulated experiments, and g is unbiased', () => {
  const random = counterRandom(17);
  const sizes = [5, 9] as const;
  let covered = 0;
  let covers = 0;
  let sum = 0;
  for (let experiment = 0; experiment < 1000; experiment++) {
    const normal = (index: number) => normalQuantile(random.uniform(experiment * 20 + index));
    const a = Array.from({ length: sizes[0] }, (_, run) => 3 * (normal(run) + 1.5));
    const b = Array.from({ length: sizes[1] }, (_, run) => 3 * normal(sizes[0] + run));
    const { interval, hedgesInterval, hedgesG } = effectSize(a, b);
    if (interval[0] <= 4.5 && 4.5 <= interval[1]) covered++;
    if (hedgesInterval[0] <= 1.5 && 1.5 <= hedgesInterval[1]) covers++;
    sum += hedgesG;
  }
  for (const count of [covered, covers]) {
    expect(count / 1000).toBeGreaterThan(0.922);
    expect(count / 1000).toBeLessThan(0.978);
  }
  expect(Math.abs(sum / 1000 - 1.5)).toBeLessThan(0.08); // 4 standard errors; without the correction, g would be near 1.6
});

test('refuses wrong arguments', () => {
  expect(() => effectSize([1], [1, 2])).toThrow('a must have at least 2 values, got 1');
  expect(() => effectSize([1, 2], [1, 2], { level: 95 })).toThrow(
    'level must be a number between 0 and 1, both excluded, got 95',
  );
  expect(() => effectSize([1, 2], [1, 2], { change: 0 })).toThrow('change must not be 0');
});
