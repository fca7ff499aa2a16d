import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import { attention } from './attention.js';

beforeAll(() => activate('wasm'));

test('rows so long that scores are computed in blocks give each query the same result as alone', () => {
  const [heads, length, headSize] = [4, 3000, 2]; // 36 million scores
  const before = tf.memory().numTensors;
  const random = (rows: number, seed: number) =>
    tf.randomUniform([1, rows, length, headSize], -2, 2, 'float32', seed) as tf.Tensor4D;
  const [query, key, value] = [random(heads, 1), random(heads / 2, 2), random(heads / 2, 3)];
  const bias = tf.randomUniform([1, 1, length, length], -3, 0, 'float32', 4) as tf.Tensor4D;
  const all = tf.tidy(() => attention(query, key, value, bias, 1 / Math.sqrt(headSize)));
  expect(all.shape).toEqual([1, length, heads * headSize]);
  const parts = Math.ceil((heads * length ** 2) / 2 ** 25);
  expect(parts).toBeGreaterThan(1);
  for (const start of [0, Math.floor(length / parts) - 4, length - 8]) {
    const difference = tf.tidy(() => {
      const queries = tf.slice(query, [0, 0, start, 0], [1, heads, 8, headSize]);
      const biases = tf.slice(bias, [0, 0, start, 0], [1, 1, 8, length]);
      const alone = attention(queries, key, value, biases, 1 / Math.sqrt(headSize));
      return tf.max(tf.abs(tf.sub(alone, tf.slice(all, [0, start, 0], [1, 8, heads * headSize]))));
    });
    expect(difference.dataSync()[0]).toBeLessThan(1e-5);
    difference.dispose();
  }
  tf.dispose([query, key, value, bias, all]);
  expect(tf.memory().numTensors).toBe(before);
});
