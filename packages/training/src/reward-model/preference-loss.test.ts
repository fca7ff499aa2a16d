import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { partsOf, preferenceLoss, preferenceMetrics } from './preference-loss.js';

const chosen = [1.5, -0.25, 3, 0.5];
const rejected = [0.25, 0.75, -2, 0.5];
const margins = [0.5, 0, 3, 1];
const slice = (values: readonly number[], start: number, end: number) => tf.tensor1d(values.slice(start, end));

test('margin and centering equal those of TRL', () => {
  // -logsigmoid(chosen - rejected - margin).mean() (+ 0.05 * mean((chosen + rejected)²)) of torch, as in TRL's reward_trainer.py
  const loss = (options: object) => preferenceLoss(tf.tensor1d(chosen), tf.tensor1d(rejected), options).dataSync()[0]!;
  expect(loss({ margins: tf.tensor1d(margins) })).toBeCloseTo(0.78508061170578, 6);
  const both = { margins: tf.tensor1d(margins), centerRewardsCoefficient: 0.05 };
  expect(loss(both)).toBeCloseTo(0.85148686170578, 6);
  expect(loss({ margins: tf.zeros([4]) })).toBe(loss({}));
});

test('the losses of parts add up to the loss of the whole', () => {
  const whole = preferenceLoss(tf.tensor1d(chosen), tf.tensor1d(rejected), {
    margins: tf.tensor1d(margins),
    centerRewardsCoefficient: 0.05,
  }).dataSync()[0]!;
  for (const size of [1, 3]) {
    const parts = partsOf([0, 1, 2, 3], size).map((part) => {
      const [start, end] = [part[0]!, part.at(-1)! + 1];
      return preferenceLoss(slice(chosen, start, end), slice(rejected, start, end), {
        ...{ margins: slice(margins, start, end), centerRewardsCoefficient: 0.05, pairs: 4 },
      }).dataSync()[0]!;
    });
    expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(whole, 6);
  }
});

test('extreme rewards give a finite loss', () => {
  expect(preferenceLoss(tf.tensor1d([500]), tf.tensor1d([-500])).dataSync()[0]).toBe(0);
  expect(preferenceLoss(tf.tensor1d([-500]), tf.tensor1d([500])).dataSync()[0]).toBe(1000);
});

test('a tie is not accurate, and rewards of both sides are counted', () => {
  expect(preferenceMetrics({ chosen, rejected })).toEqual({
    ...{ accuracy: 0.5, margin: (1.25 - 1 + 5 + 0) / 4, min_reward: -2, mean_reward: 4.25 / 8, max_reward: 3 },
  });
});
