import { counterRandom, InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import { type TokenStatistics, tokenLogProbabilities, tokenStatistics } from './token-log-probabilities.js';

const rows = 7;
const vocabulary = 31;
const random = counterRandom(5);
const values = Float32Array.from({ length: rows * vocabulary }, (_, index) => 12 * random.uniform(index) - 6);
const tokens = Int32Array.from({ length: rows }, (_, row) => Math.floor(vocabulary * random.fork(1).uniform(row)));
const weights = Float32Array.from({ length: rows }, (_, row) => random.fork(2).uniform(row) - 0.5);

/** softmax(logits / temperature) of one row, in float64, with `shift` added to the logit of one token. */
function softmax(row: number, temperature: number, token = 0, shift = 0): number[] {
  const scores = Array.from(
    values.subarray(row * vocabulary, (row + 1) * vocabulary),
    (value, id) => (value + (id === token ? shift : 0)) / temperature,
  );
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

describeOnBackends('token log-probabilities', () => {
  test.each([1, 0.7, 2])(
    'equal float64 log-softmax, its gradient and its finite differences at temperature %d',
    async (temperature) => {
      const before = tf.memory().numTensors;
      const logits = tf.tensor2d(values, [rows, vocabulary]);
      const ids = tf.tensor1d(tokens, 'int32');
      const forward = tokenLogProbabilities(logits, ids, temperature);
      const { value, grad } = tf.valueAndGrad((x: tf.Tensor2D) =>
        tf.sum(tf.mul(tokenLogProbabilities(tf.mul(x, 1), ids, temperature), weights)),
      )(logits);
      const found = await forward.data();
      const gradient = await grad.data();
      for (let row = 0; row < rows; row++) {
        const probabilities = softmax(row, temperature);
        expect(found[row]).toBeCloseTo(Math.log(probabilities[tokens[row]!]!), 5);
        probabilities.forEach((probability, id) => {
          const expected = (weights[row]! * ((id === tokens[row] ? 1 : 0) - probability)) / temperature;
          expect(Math.abs(gradient[row * vocabulary + id]! - expected)).toBeLessThan(1e-6);
          const moved = (shift: number) => Math.log(softmax(row, temperature, id, shift)[tokens[row]!]!);
          const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
          expect(Math.abs(gradient[row * vocabulary + id]! - weights[row]! * slope)).toBeLessThan(1e-6);
        });
      }
      tf.dispose([logits, ids, forward, value, grad]);
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  test('do not keep a second copy of the logits for the backward pass', () => {
    const logits = tf.zeros<tf.Rank.R2>([20, 500]);
    const ids = tf.zeros<tf.Rank.R1>([20], 'int32');
    let kept = 0;
    const grad = tf.grad((x: tf.Tensor) => {
      const before = tf.memory().numBytes;
      const result = tokenLogProbabilities(x as tf.Tensor2D, ids, 0.9);
      kept = tf.memory().numBytes - before;
      return tf.sum(result);
    })(logits);
    // On wasm, where cloning copies, the kept logits count as new. Two copies would be 80,000 bytes.
    expect(kept).toBeLessThan(20 * 500 * 4 + 1000);
    tf.dispose([logits, ids, grad]);
  });

  test('stay finite for logits whose exponentials overflow', () => {
    const [log] = tf.tidy(() =>
      tokenLogProbabilities(tf.tensor2d([[1000, -1000, 990]]), tf.tensor1d([2], 'int32')).dataSync(),
    );
    expect(log).toBeCloseTo(-10 - Math.log1p(Math.exp(-10)), 4);
  });

  test.each([1, 0.7])('entropies and their gradient equal float64 at temperature %d', async (temperature) => {
    const before = tf.memory().numTensors;
    const logits = tf.tensor2d(values, [rows, vocabulary]);
    const ids = tf.tensor1d(tokens, 'int32');
    const { entropies: forward, logProbabilities } = tokenStatistics(logits, ids, temperature);
    expect(logProbabilities.dataSync()).toEqual(
      tf.tidy(() => tokenLogProbabilities(logits, ids, temperature).dataSync()),
    );
    const { value, grad } = tf.valueAndGrad((x: tf.Tensor2D) =>
      tf.sum(tf.mul(tokenStatistics(tf.mul(x, 1), ids, temperature).entropies, weights)),
    )(logits);
    const found = await forward.data();
    const gradient = await grad.data();
    const entropyAt = (row: number, id: number, shift: number) => {
      const scores = Array.from(values.subarray(row * vocabulary, (row + 1) * vocabulary), (score, index) =>
        Math.exp((score + (index === id ? shift : 0)) / temperature),
      );
      const total = scores.reduce((sum, score) => sum + score, 0);
      return -scores.reduce((sum, score) => sum + (score / total) * Math.log(score / total), 0);
    };
    for (let row = 0; row < rows; row++) {
      expect(found[row]).toBeCloseTo(entropyAt(row, 0, 0), 5);
      for (let id = 0; id < vocabulary; id++) {
        const slope = (entropyAt(row, id, 1e-5) - entropyAt(row, id, -1e-5)) / 2e-5;
        expect(Math.abs(gradient[row * vocabulary + id]! - weights[row]! * slope)).toBeLessThan(1e-6);
      }
    }
    tf.dispose([logits, ids, forward, logProbabilities, value, grad]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('gradients of a loss of both are the sum of the two', () => {
    tf.tidy(() => {
      const logits = tf.tensor2d(values, [rows, vocabulary]);
      const ids = tf.tensor1d(tokens, 'int32');
      const slope = (pick: (statistics: TokenStatistics) => tf.Tensor) =>
        tf.grad((x) => tf.sum(tf.mul(pick(tokenStatistics(x as tf.Tensor2D, ids, 0.9)), weights)))(logits);
      const both = slope(({ logProbabilities, entropies }) => tf.add(logProbabilities, entropies));
      const sum = tf.add(
        slope(({ entropies }) => entropies),
        slope(({ logProbabilities }) => logProbabilities),
      );
      expect(tf.max(tf.abs(tf.sub(both, sum))).dataSync()[0]).toBeLessThan(1e-6);
    });
  });

  test('refuse wrong ids and temperatures', () => {
    tf.tidy(() => {
      const logits = tf.zeros<tf.Rank.R2>([2, 3]);
      expect(() => tokenLogProbabilities(logits, tf.tensor1d([0], 'int32'))).toThrow(ShapeError);
      expect(() => tokenLogProbabilities(logits, tf.tensor1d([0, 1], 'float32'))).toThrow('int32 ids [2], got float32');
      for (const temperature of [0, -1, Number.NaN, Infinity]) {
        expect(() => tokenStatistics(logits, tf.tensor1d([0, 1], 'int32'), temperature)).toThrow(InvalidArgumentError);
      }
    });
  });
});
