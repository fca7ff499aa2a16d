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
