import { InvalidArgumentError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { learningRateSchedule } from './schedule.js';

const types = ['constant', 'linear', 'cosine'] as const;

test.each([
  // Derived from get_constant_schedule_with_warmup, get_linear_… and get_cosine_… of Hugging Face transformers, times 8.
  ['constant', [0, 2, 4, 6, 8, 8, 8, 8, 8, 8, 8, 8]],
  ['linear', [0, 2, 4, 6, 8, 7, 6, 5, 4, 3, 2, 1]],
  [
    'cosine',
    [0, 2, 4, 6, 8, 7.695518130045147, 6.82842712474619, 5.530733729460359, 4, 2.46926627053964, 1.17157287525381],
  ],
] as const)('%s with four steps of warmup out of twelve', (type, expected) => {
  const schedule = learningRateSchedule(type, { warmupSteps: 4 });
  expected.forEach((value, index) => {
    expect(8 * schedule(index + 1, 12)).toBeCloseTo(value, 12);
  });
});

test('without warmup the first step has the full rate; after the last step the rate stays 0', () => {
  for (const type of types) expect(learningRateSchedule(type)(1, 10)).toBe(1);
  for (const step of [11, 12, 1000]) {
    expect(learningRateSchedule('linear')(step, 10)).toBe(0);
    expect(learningRateSchedule('cosine')(step, 10)).toBe(0);
    expect(learningRateSchedule('constant')(step, 10)).toBe(1);
  }
});

test('stays in [0, 1] and never rises after the warmup, even in short runs', () => {
  for (const type of types) {
    for (const steps of [1, 7, 50]) {
      const schedule = learningRateSchedule(type, { warmupSteps: 7 });
      for (let step = 1; step < 60; step++) {
        expect(schedule(step, steps)).toBeGreaterThanOrEqual(0);
        expect(schedule(step, steps)).toBeLessThanOrEqual(1);
        if (step > 8) expect(schedule(step, steps)).toBeLessThanOrEqual(schedule(step - 1, steps));
      }
    }
  }
});

test('invalid options are refused', () => {
  expect(() => learningRateSchedule('step' as 'linear')).toThrow("got 'step'");
  expect(() => learningRateSchedule('toString' as 'linear')).toThrow(InvalidArgumentError);
  for (const warmupSteps of [-1, 0.5, Number.NaN]) {
    expect(() => learningRateSchedule('linear', { warmupSteps })).toThrow(`got ${warmupSteps}`);
  }
});
