import { counterRandom } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import { linear } from './basic-layers.js';
import { addUpdate } from './low-rank.js';

const [rows, width, out, rank] = [6, 4, 5, 2];
const random = counterRandom(6);
const numbers = (size: number, stream: number) =>
  Array.from({ length: size }, (_, index) => Math.fround(2 * random.fork(stream).uniform(index) - 1));
const given = [numbers(rows * out, 0), numbers(rows * width, 1), numbers(rank * width, 2), numbers(out * rank, 3)];
const shapes = [
  [2, 3, out],
  [2, 3, width],
  [rank, width],
  [out, rank],
];
const slopes = numbers(rows * out, 4);

type Op = (y: tf.Tensor, x: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
const composed: Op = (y, x, a, b) => tf.add(y, linear(linear(x, a), b));

/** The sum of slopes · (y + (x · Aᵀ) · Bᵀ) in float64. */
function weighted([y, x, a, b]: readonly (readonly number[])[]): number {
  return slopes.reduce((sum, slope, index) => {
    const [row, column] = [Math.floor(index / out), index % out];
    let value = y![index]!;
    for (let step = 0; step < rank; step++) {
      let down = 0;
      for (let at = 0; at < width; at++) down += x![row * width + at]! * a![step * width + at]!;
      value += down * b![column * rank + step]!;
    }
    return sum + slope * value;
  }, 0);
}

describeOnBackends('a low-rank update', () => {
  test('and its gradients are those of two linear layers, and of finite differences in float64', () => {
    const before = tf.memory().numTensors;
    const inputs = given.map((values, index) => tf.tensor(values, shapes[index]));
    const slope = tf.tensor(slopes, shapes[0]);
    const gradientsOf = (op: Op) =>
      tf.grads((...[y, x, a, b]: tf.Tensor[]) => tf.sum(tf.mul(op(y!, x!, a!, b!), slope)))(inputs);
    const [y, x, a, b] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const [value, expected] = [addUpdate, composed].map((op) => tf.tidy(() => op(y, x, a, b))) as [
      tf.Tensor,
      tf.Tensor,
    ];
    expect([...value.dataSync()]).toEqual([...expected.dataSync()]);
    const [gradients, plain] = [gradientsOf(addUpdate), gradientsOf(composed)];
    gradients.forEach((gradient, input) => {
      const composed = plain[input]!.dataSync();
      gradient.dataSync().forEach((number, index) => {
        const moved = (by: number) =>
          weighted(given.map((values, other) => values.map((v, at) => (other === input && at === index ? v + by : v))));
        expect(Math.abs(number - (moved(1e-3) - moved(-1e-3)) / 2e-3)).toBeLessThan(2e-6);
        expect(Math.abs(number - composed[index]!)).toBeLessThan(2e-6);
      });
    });
    tf.dispose([inputs, slope, value, expected, gradients, plain]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
