import { InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Log-probability of one token per row under softmax(logits / temperature): [n].
 *
 * One differentiable op that keeps only the logits and [n] normalizers between forward and backward pass. The gradient is
 * dy · (onehot(id) - softmax) / temperature.
 * @param logits [n, vocabulary], finite
 * @param ids int32 [n], each in [0, vocabulary)
 * @param temperature the temperature that the tokens were sampled with, > 0; default 1
 * @throws ShapeError if `ids` is not int32 [n]; InvalidArgumentError if `temperature` is not finite and > 0.
 */
export function tokenLogProbabilities(logits: tf.Tensor2D, ids: tf.Tensor1D, temperature = 1): tf.Tensor1D {
  checkTemperature(temperature);
  const rows = logits.shape[0];
  if (ids.dtype !== 'int32' || ids.shape[0] !== rows) {
    throw new ShapeError(`${rows} rows of logits need int32 ids [${rows}], got ${ids.dtype} [${ids.shape}]`);
  }
  return tf.customGrad<tf.Tensor1D>((input, save) => {
    const kept = input as tf.Tensor2D;
    const indices = tf.stack([tf.range(0, rows, 1, 'int32'), ids], 1); // [n, 2]
    const normalizers = tf.logSumExp(scaled(kept, temperature), 1); // [n]
    const value = tf.sub<tf.Tensor1D>(scaled(tf.gatherND(kept, indices), temperature), normalizers);
    (save as tf.GradSaveFunc)([kept, indices, normalizers]);
    const gradFunc = (dy: tf.Tensor1D, saved: tf.Tensor[]) =>
      tf.tidy(() => {
        const [kept, indices, normalizers] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
        const slope = scaled(dy, temperature); // [n]
        const softmax = tf.exp(tf.sub(scaled(kept, temperature), tf.expandDims(normalizers, 1)));
        return tf.sub(tf.scatterND(indices, slope, kept.shape), tf.mul(softmax, tf.expandDims(slope, 1)));
      });
    return { value, gradFunc };
  })(logits);
}

/**
 * Entropy of softmax(logits / temperature) of each row, in nats: [n].
 *
 * One differentiable op that keeps only the logits and 2n numbers between forward and backward pass. The gradient is
 * -dy · p · (log p + entropy) / temperature.
 * @param logits [n, vocabulary], finite
 * @param temperature > 0; default 1
 * @throws InvalidArgumentError if `temperature` is not finite and > 0.
 */
export function tokenEntropies(logits: tf.Tensor2D, temperature = 1): tf.Tensor1D {
  checkTemperature(temperature);
  return tf.customGrad<tf.Tensor1D>((input, save) => {
    const kept = input as tf.Tensor2D;
    const normalizers = tf.logSumExp(scaled(kept, temperature), 1, true) as tf.Tensor2D; // [n, 1]
    const logProbabilities = tf.sub(scaled(kept, temperature), normalizers);
    const value = tf.neg(tf.sum<tf.Tensor1D>(tf.mul(tf.exp(logProbabilities), logProbabilities), 1));
    (save as tf.GradSaveFunc)([kept, normalizers, value]);
    const gradFunc = (dy: tf.Tensor1D, saved: tf.Tensor[]) =>
      tf.tidy(() => {
        const [kept, normalizers, entropies] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
        const slope = tf.expandDims(tf.neg(scaled(dy, temperature)), 1); // [n, 1]
        const logProbabilities = tf.sub(scaled(kept, temperature), normalizers);
        const slopes = tf.mul(tf.exp(logProbabilities), tf.add(logProbabilities, tf.expandDims(entropies, 1)));
        return tf.mul(slopes, slope);
      });
    return { value, gradFunc };
  })(logits);
}

function scaled<T extends tf.Tensor>(tensor: T, temperature: number): T {
  return temperature === 1 ? tensor : tf.div(tensor, temperature);
}

function checkTemperature(temperature: number): void {
  if (temperature > 0 && temperature < Infinity) return;
  throw new InvalidArgumentError(`temperature must be finite and > 0, got ${temperature}`);
}
