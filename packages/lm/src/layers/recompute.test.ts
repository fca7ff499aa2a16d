import { counterRandom } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import { layerNorm, linear } from './basic-layers.js';
import { recompute } from './recompute.js';

const [rows, width] = [4, 5];
const random = counterRandom(7);
const numbers = (size: number, stream: number) =>
  Array.from({ length: size }, (_, index) => Math.fround(2 * random.fork(stream).uniform(index) - 1));
const given = [numbers(rows * width, 0), numbers(width * width, 1), numbers(width, 2)];
const shapes = [[2, 2, width], [width, width], [width]];
const factors = numbers(rows * width, 3);
const slopes = numbers(rows * width, 4);

/** tanh(layer norm(x · weightᵀ) · vector + vector) · factors: several ops, one of them with a gradient of its own. */
const run = ([x, weight, vector]: readonly tf.Tensor[], [factor]: readonly tf.Tensor[]) =>
  tf.mul(tf.tanh(layerNorm(linear(x!, weight!), vector!, vector!, 1e-5)), factor!);

/** The sum of slopes · run(…) in float64. */
function weighted([x, weight, vector]: readonly (readonly number[])[]): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const y = Array.from({ length: width }, (_, column) => {
      let value = 0;
      for (let at = 0; at < width; at++) value += x![row * width + at]! * weight![column * width + at]!;
      return value;
    });
    const mean = y.reduce((total, value) => total + value, 0) / width;
    const deviation = Math.sqrt(y.reduce((total, value) => total + (value - mean) ** 2, 0) / width + 1e-5);
    for (let column = 0; column < width; column++) {
      const normed = ((y[column]! - mean) / deviation) * vector![column]! + vector![column]!;
      sum += slopes[row * width + column]! * Math.tanh(normed) * factors[row * width + column]!;
    }
  }
  return sum;
}

describeOnBackends('recompute', () => {
  test('gives the value and the gradients of the ops themselves, and of finite differences in float64', () => {
    const before = tf.memory().numTensors;
    const inputs = given.map((values, index) => tf.tensor(values, shapes[index]));
    const [factor, slope] = [tf.tensor(factors, shapes[0]), tf.tensor(slopes, shapes[0])];
    let calls = 0;
    const counted: typeof run = (...all) => {
      calls++;
      return run(...all);
    };
    const again = (...all: tf.Tensor[]) => recompute(counted, all, [factor]);
    const [value, expected] = [tf.tidy(() => again(...inputs)), tf.tidy(() => run(inputs, [factor]))];
    expect([...value.dataSync()]).toEqual([...expected.dataSync()]);
    expect(calls).toBe(1);
    const sumOf = (op: (...all: tf.Tensor[]) => tf.Tensor) =>
      tf.grads((...all) => tf.sum(tf.mul(op(...all), slope)))(inputs);
    const [gradients, plain] = [sumOf(again), sumOf((...all) => run(all, [factor]))];
    expect(calls).toBe(3); // forward, and once more in the backward pass
    gradients.forEach((gradient, input) => {
      const direct = plain[input]!.dataSync();
      gradient.dataSync().forEach((number, index) => {
        const moved = (by: number) =>
          weighted(given.map((values, other) => values.map((v, at) => (other === input && at === index ? v + by : v))));
        expect(Math.abs(number - (moved(1e-5) - moved(-1e-5)) / 2e-5)).toBeLessThan(1e-5);
        expect(Math.abs(number - direct[index]!)).toBeLessThan(1e-6);
      });
    });
    tf.dispose([inputs, factor, slope, value, expected, gradients, plain]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('inside another recompute gives the same gradients', () => {
    tf.tidy(() => {
      const inputs = given.map((values, index) => tf.tensor(values, shapes[index]));
      const factor = tf.tensor(factors, shapes[0]);
      const twice = (...all: tf.Tensor[]) =>
        recompute((outer, others) => recompute(run, [tf.mul(outer[0]!, 2), ...outer.slice(1)], others), all, [factor]);
      const plain = (x: tf.Tensor, ...rest: tf.Tensor[]) => run([tf.mul(x, 2), ...rest], [factor]);
      const gradients = tf.grads((...all) => tf.sum(twice(...all)))(inputs);
      const expected = tf.grads((...[x, ...rest]) => tf.sum(plain(x!, ...rest)))(inputs);
      gradients.forEach((gradient, input) => {
        expect(tf.max(tf.abs(tf.sub(gradient, expected[input]!))).dataSync()[0]).toBeLessThan(1e-6);
      });
    });
  });
});
