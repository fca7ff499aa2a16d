import { activate } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { gradientNorm } from './gradients.js';

test('the norm of 97 million numbers is as exact as float32 can be', async () => {
  await activate('wasm');
  const row = tf.randomNormal([1, 640], 0, 1, 'float32', 3);
  const expected = Array.from(row.dataSync()).reduce((sum, value) => sum + value * value, 0) * 151_936;
  const norm = tf.tidy(() => gradientNorm([tf.tile(row, [151_936, 1])]));
  expect(Math.abs(norm / Math.sqrt(expected) - 1)).toBeLessThan(1e-6);
  row.dispose();
});
