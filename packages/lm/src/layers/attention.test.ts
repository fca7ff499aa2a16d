import { counterRandom } from '@rarefy/core';
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

test('the gradients of attention equal finite differences in float64', () => {
  const [batch, heads, length, size, scale] = [2, 2, 5, 3, 0.6];
  const random = counterRandom(8);
  const numbers = (count: number, stream: number) =>
    Array.from({ length: count }, (_, index) => Math.fround(2 * random.fork(stream).uniform(index) - 1));
  const shape = [batch, heads, length, size] as [number, number, number, number];
  const given = [0, 1, 2].map((stream) => numbers(batch * heads * length * size, stream));
  const slopes = numbers(given[0]!.length, 3);
  const biases = Array.from({ length: batch * length * length }, (_, at) =>
    at % length > Math.floor(at / length) % length ? -1e9 : 0,
  );
  const at = (row: number, head: number, token: number, i: number) =>
    ((row * heads + head) * length + token) * size + i;
  /** The sum of slopes · attention in float64. */
  const weighted = ([query, key, value]: readonly (readonly number[])[]) => {
    let sum = 0;
    for (let row = 0; row < batch; row++) {
      for (let head = 0; head < heads; head++) {
        for (let token = 0; token < length; token++) {
          const shares = Array.from({ length: token + 1 }, (_, other) => {
            let score = 0;
            for (let i = 0; i < size; i++) score += query![at(row, head, token, i)]! * key![at(row, head, other, i)]!;
            return Math.exp(scale * score);
          });
          const total = shares.reduce((all, share) => all + share, 0);
          for (let i = 0; i < size; i++) {
            const mixed =
              shares.reduce((all, share, other) => all + share * value![at(row, head, other, i)]!, 0) / total;
            sum += slopes[((row * length + token) * heads + head) * size + i]! * mixed;
          }
        }
      }
    }
    return sum;
  };
  tf.tidy(() => {
    const bias = tf.tensor4d(biases, [batch, 1, length, length]);
    const slope = tf.tensor(slopes, [batch, length, heads * size]);
    const sum = (...[query, key, value]: tf.Tensor[]) =>
      tf.sum(tf.mul(attention(query as tf.Tensor4D, key as tf.Tensor4D, value as tf.Tensor4D, bias, scale), slope));
    const gradients = tf.grads(sum)(given.map((values) => tf.tensor4d(values, shape)));
    gradients.forEach((gradient, input) => {
      gradient.dataSync().forEach((number, index) => {
        const moved = (by: number) =>
          weighted(given.map((row, other) => row.map((v, i) => (other === input && i === index ? v + by : v))));
        expect(Math.abs(number - (moved(1e-4) - moved(-1e-4)) / 2e-4)).toBeLessThan(1e-5);
      });
    });
  });
});
