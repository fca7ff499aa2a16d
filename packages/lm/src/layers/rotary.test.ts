import { counterRandom } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import { rotaryTable, rotate } from './rotary.js';

beforeAll(() => activate('wasm'));

test('a table grows to the positions that are needed, also inside a tidy, and holds two tensors', () => {
  const before = tf.memory().numTensors;
  const table = rotaryTable({ frequencies: Float32Array.of(1, 0.01), factor: 1.5 }, 100_000);
  for (const position of [3, 511, 512, 99_999, 7]) {
    tf.tidy(() => {
      const { cos, sin } = table.rows(tf.tensor2d([[position]], [1, 1], 'int32'), position + 1);
      expect(cos.shape).toEqual([1, 1, 1, 2]);
      const angles = [position, Math.fround(position * Math.fround(0.01))];
      for (const [i, angle] of angles.entries()) {
        expect(cos.dataSync()[i]).toBeCloseTo(1.5 * Math.cos(angle), 5);
        expect(sin.dataSync()[i]).toBeCloseTo(1.5 * Math.sin(angle), 5);
      }
    });
    expect(tf.memory().numTensors).toBe(before + 2);
  }
  table.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test('a head that is rotated in part keeps its other numbers', () => {
  tf.tidy(() => {
    const x = tf.tensor4d([1, 2, 3, 4, 5, 6], [1, 1, 1, 6]);
    const [cos, sin] = [tf.tensor4d([0], [1, 1, 1, 1]), tf.tensor4d([1], [1, 1, 1, 1])];
    expect([...rotate(x, cos, sin).dataSync()]).toEqual([-2, 1, 3, 4, 5, 6]);
  });
});

test('the gradient of a rotation equals finite differences in float64', () => {
  const [batch, heads, length, size, half] = [2, 3, 2, 6, 2];
  const random = counterRandom(5);
  const numbers = (count: number, stream: number) =>
    Array.from({ length: count }, (_, index) => Math.fround(2 * random.fork(stream).uniform(index) - 1));
  const values = numbers(batch * heads * length * size, 0);
  const slopes = numbers(values.length, 1);
  const angles = numbers(batch * length * half, 2);
  const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)];
  /** The sum of slopes · rotated x in float64. */
  const weighted = (x: readonly number[]) => {
    let sum = 0;
    for (let row = 0; row < batch * heads * length; row++) {
      const token = Math.floor(row / (heads * length)) * length + (row % length);
      for (let i = 0; i < size; i++) {
        const [at, pair] = [row * size + i, token * half + (i % half)];
        const turned =
          i < half
            ? x[at]! * cosines[pair]! - x[at + half]! * sines[pair]!
            : i < 2 * half
              ? x[at]! * cosines[pair]! + x[at - half]! * sines[pair]!
              : x[at]!;
        sum += slopes[at]! * turned;
      }
    }
    return sum;
  };
  tf.tidy(() => {
    const shape = [batch, heads, length, size];
    const [cos, sin] = [cosines, sines].map((row) => tf.tensor(row, [batch, 1, length, half]));
    const sum = (x: tf.Tensor) => tf.sum(tf.mul(rotate(x, cos!, sin!), tf.tensor(slopes, shape)));
    const gradient = tf.grad(sum)(tf.tensor(values, shape)).dataSync();
    gradient.forEach((slope, index) => {
      const moved = (by: number) => weighted(values.map((value, other) => (other === index ? value + by : value)));
      expect(Math.abs(slope - (moved(1e-3) - moved(-1e-3)) / 2e-3)).toBeLessThan(1e-6);
    });
  });
});
