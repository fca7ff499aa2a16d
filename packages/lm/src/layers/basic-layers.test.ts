import { counterRandom } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import { activation, layerNorm, rmsNorm } from './basic-layers.js';

const [rows, width] = [6, 5];
const random = counterRandom(8);
const numbers = (size: number, stream: number) =>
  Array.from({ length: size }, (_, index) => Math.fround(4 * random.fork(stream).uniform(index) - 2));
const inputs = [numbers(rows * width, 0), numbers(width, 1), numbers(width, 2)];
const slopes = numbers(rows * width, 3);

/** The plain form of an op in float64: of x [rows · width], and of vectors [width]. */
type Plain = (x: readonly number[], ...vectors: (readonly number[])[]) => number[];

const rowOf = (x: readonly number[], row: number) => x.slice(row * width, (row + 1) * width);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const plainLayerNorm: Plain = (x, weight, bias) =>
  Array.from({ length: rows }, (_, row) => rowOf(x, row)).flatMap((values) => {
    const center = mean(values);
    const deviation = Math.sqrt(mean(values.map((value) => (value - center) ** 2)) + 1e-5);
    return values.map((value, index) => ((value - center) / deviation) * weight![index]! + bias![index]!);
  });

const plainRmsNorm: Plain = (x, weight) =>
  Array.from({ length: rows }, (_, row) => rowOf(x, row)).flatMap((values) => {
    const size = Math.sqrt(mean(values.map((value) => value ** 2)) + 1e-6);
    return values.map((value, index) => (value / size) * (weight?.[index] ?? 1));
  });

const plainActivations: Record<string, (x: number) => number> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

type Op = (x: tf.Tensor, ...vectors: tf.Tensor[]) => tf.Tensor;

const cases: [name: string, vectors: number, op: Op, plain: Plain][] = [
  ['layer norm', 2, (x, weight, bias) => layerNorm(x, weight!, bias!, 1e-5), plainLayerNorm],
  ['RMS norm', 1, (x, weight) => rmsNorm(x, 1e-6, weight), plainRmsNorm],
  ['RMS norm without a weight', 0, (x) => rmsNorm(x, 1e-6), plainRmsNorm],
  ...Object.entries(plainActivations).map(([name, plain]): [string, number, Op, Plain] => [
    name,
    0,
    activation(name),
    (x) => x.map(plain),
  ]),
];

describeOnBackends('layers', () => {
  test.each(cases)('%s and its gradients equal float64 and its finite differences', (_name, vectors, op, plain) => {
    const before = tf.memory().numTensors;
    const given = inputs.slice(0, 1 + vectors);
    const tensors = given.map((values, index) =>
      index === 0 ? tf.tensor(values, [2, 3, width]) : tf.tensor1d(values),
    );
    const [x, ...rest] = tensors as [tf.Tensor, ...tf.Tensor[]];
    const value = op(x, ...rest);
    const expected = plain(given[0]!, ...given.slice(1));
    expect(value.shape).toEqual([2, 3, width]);
    value.dataSync().forEach((number, index) => {
      expect(Math.abs(number - expected[index]!)).toBeLessThan(2e-6);
    });

    const weighted = (...changed: number[][]) =>
      plain(changed[0]!, ...changed.slice(1)).reduce((sum, number, index) => sum + number * slopes[index]!, 0);
    const gradients = tf.grads((...all) =>
      tf.sum(tf.mul(op(...(all as [tf.Tensor])), tf.tensor(slopes, [2, 3, width]))),
    )(tensors);
    gradients.forEach((gradient, input) => {
      gradient.dataSync().forEach((slope, index) => {
        const moved = (by: number) =>
          weighted(
            ...given.map((values, other) => values.map((v, at) => (other === input && at === index ? v + by : v))),
          );
        const difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        expect(Math.abs(slope - difference)).toBeLessThan(1e-5);
      });
    });
    tf.dispose([tensors, value, gradients]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('activations saturate without NaN', () => {
    tf.tidy(() => {
      const x = tf.tensor1d([-1e4, -100, 100, 1e4]);
      for (const name of ['silu', 'gelu_new']) {
        expect([...activation(name)(x).dataSync()]).toEqual(
          [-0, -0, 100, 1e4].map((value) => expect.closeTo(value, 5)),
        );
        expect([...tf.grad(activation(name))(x).dataSync()]).toEqual([0, 0, 1, 1].map((v) => expect.closeTo(v, 5)));
      }
    });
  });
});
