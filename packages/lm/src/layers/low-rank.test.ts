import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { activate } from '../backend/choose-backend.js';
import { linear } from './basic-layers.js';
import { addUpdate } from './low-rank.js';

beforeAll(() => activate('wasm'));

test('an update and its gradients are those of two linear layers, and of finite differences', () => {
  const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);
  const inputs = [random([2, 3, 5], 1), random([2, 3, 4], 2), random([2, 4], 3), random([5, 2], 4)];
  const slopes = random([2, 3, 5], 5);
  type Op = (y: tf.Tensor, x: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
  const composed: Op = (y, x, a, b) => tf.add(y, linear(linear(x, a), b));
  const gradientsOf = (op: Op) =>
    tf.grads((...[y, x, a, b]: tf.Tensor[]) => tf.sum(tf.mul(op(y!, x!, a!, b!), slopes)))(inputs);
  const values = (tensors: readonly tf.Tensor[]) => tensors.map((tensor) => [...tensor.dataSync()]);
  const [y, x, a, b] = inputs as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  expect(values([addUpdate(y, x, a, b)])).toEqual(values([composed(y, x, a, b)]));
  const gradients = values(gradientsOf(addUpdate));
  for (const [index, expected] of values(gradientsOf(composed)).entries()) {
    for (const [at, value] of expected.entries()) expect(gradients[index]![at]).toBeCloseTo(value, 5);
  }
  // The op is linear in each input, so that a difference of 1 gives the slope up to rounding.
  for (const [index, input] of inputs.entries()) {
    const at = 3;
    const moved = (by: number) => {
      const data = input.dataSync<'float32'>().slice();
      data[at]! += by;
      const changed = inputs.map((each, other) => (other === index ? tf.tensor(data, input.shape) : each));
      const [y, x, a, b] = changed as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      return tf.tidy(() => tf.sum(tf.mul(addUpdate(y, x, a, b), slopes)).dataSync()[0]!);
    };
    expect((moved(1) - moved(-1)) / 2).toBeCloseTo(gradients[index]![at]!, 4);
  }
});
