import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import { constantOf } from './policy-batch.js';

describeOnBackends('constantOf', () => {
  test('has the value of its function and the gradient 0, also where an op without gradient is used', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = tf.tensor1d([0.5, -2, 3]);
      const rounded = constantOf(x, (values) => tf.round(tf.topk(values, 3).values));
      expect([...rounded.dataSync()]).toEqual([3, 0, -2]);
      const square = (values: tf.Tensor) => tf.square(values);
      expect([
        ...tf
          .grad((values) => tf.sum(constantOf(values, square)))(x)
          .dataSync(),
      ]).toEqual([0, 0, 0]);
      // As a factor it is a number: d/dx (x · stop(x²)) = x², and not 3 x².
      const product = tf.grad((values) => tf.sum(tf.mul(values, constantOf(values, square))));
      expect([...product(x).dataSync()]).toEqual([0.25, 4, 9]);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
