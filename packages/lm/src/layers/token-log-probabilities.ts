import { InvalidArgumentError, ShapeError } from '@rarefy/core';
import { runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** Log-probability of one token, and entropy of all, per row: [n] each. */
export interface TokenStatistics {
  readonly logProbabilities: tf.Tensor1D;
  readonly entropies: tf.Tensor1D;
}

/**
 * Log-probability of one token per row under softmax(logits / temperature): [n].
 *
 * One differentiable op that keeps only the logits and 2n numbers between forward and backward pass. The gradient is
 * dy · (onehot(id) - softmax) / temperature.
 * @param logits [n, vocabulary], finite
 * @param ids int32 [n], each in [0, vocabulary)
 * @param temperature the temperature that the tokens were sampled with, > 0; default 1
 * @throws ShapeError if `ids` is not int32 [n]; InvalidArgumentError if `temperature` is not finite and > 0.
 */
export function tokenLogProbabilities(logits: tf.Tensor2D, ids: tf.Tensor1D, temperature = 1): tf.Tensor1D {
  checkIds(logits, ids);
  checkTemperature(temperature);
  return tf.customGrad<tf.Tensor1D>((input, save) => {
    const { normalizers } = rowSums(input as tf.Tensor2D, temperature, false);
    return withLogProbabilityGradient(input as tf.Tensor2D, ids, normalizers, temperature, save as tf.GradSaveFunc);
  })(logits);
}

/**
 * {@link tokenLogProbabilities} and the entropy of softmax(logits / temperature) of each row, in nats, from one pass over the
 * logits. Both are differentiable; the gradient of the entropies is -dy · p · (log p + entropy) / temperature, and costs nothing
 * where no loss uses them. Arguments and errors as for `tokenLogProbabilities`.
 */
export function tokenStatistics(logits: tf.Tensor2D, ids: tf.Tensor1D, temperature = 1): TokenStatistics {
  checkIds(logits, ids);
  checkTemperature(temperature);
  // tfjs calculates gradients of all results of an op, used or not; so these are two, and the second takes what the first found.
  let sums: RowSums | undefined;
  const logProbabilities = tf.customGrad<tf.Tensor1D>((input, save) => {
    const kept = input as tf.Tensor2D;
    sums = rowSums(kept, temperature, true);
    tf.keep(sums.entropies!);
    tf.keep(sums.normalizers);
    return withLogProbabilityGradient(kept, ids, sums.normalizers, temperature, save as tf.GradSaveFunc);
  })(logits);
  const { normalizers, entropies } = sums!;
  const found = tf.customGrad<tf.Tensor1D>((input, save) => {
    (save as tf.GradSaveFunc)([input as tf.Tensor2D, normalizers, entropies!]);
    const gradFunc = (dy: tf.Tensor1D, saved: tf.Tensor[]) =>
      tf.tidy(() => {
        const [kept, normalizers, entropies] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
        const slope = tf.expandDims(tf.neg(scaled(dy, temperature)), 1); // [n, 1]
        const logs = tf.sub(scaled(kept, temperature), normalizers); // log-probabilities of all tokens
        return tf.mul(tf.mul(tf.exp(logs), tf.add(logs, tf.expandDims(entropies, 1))), slope);
      });
    return { value: tf.clone(entropies!), gradFunc };
  })(logits);
  tf.dispose([normalizers, entropies!]);
  return { logProbabilities, entropies: found };
}

interface RowSums {
  /** log of the sum of exponentials of logits / temperature: [n, 1]. */
  readonly normalizers: tf.Tensor2D;
  /** [n]. */
  readonly entropies?: tf.Tensor1D;
}

function rowSums(logits: tf.Tensor2D, temperature: number, withEntropies: boolean): RowSums {
  const fused = runFused('LogitStatistics', { logits }, { temperature });
  if (fused) return { normalizers: fused[0] as tf.Tensor2D, entropies: fused[1] as tf.Tensor1D };
  const scores = scaled(logits, temperature);
  const top = tf.max(scores, 1, true);
  const below = tf.sub(scores, top);
  const powers = tf.exp(below);
  const totals = tf.sum(powers, 1, true); // [n, 1]
  const logs = tf.log(totals);
  const normalizers = tf.add<tf.Tensor2D>(logs, top);
  if (!withEntropies) return { normalizers };
  const means = tf.div(tf.sum(tf.mul(powers, below), 1, true), totals);
  return { normalizers, entropies: tf.squeeze(tf.sub(logs, means), [1]) };
}

function withLogProbabilityGradient(
  logits: tf.Tensor2D,
  ids: tf.Tensor1D,
  normalizers: tf.Tensor2D,
  temperature: number,
  save: tf.GradSaveFunc,
) {
  const own = scaled(tf.gatherND(logits, ownIndices(ids)), temperature);
  const value = tf.sub<tf.Tensor1D>(own, tf.squeeze(normalizers, [1]));
  save([logits, ids, normalizers, value]);
  const gradFunc = (dy: tf.Tensor1D, saved: tf.Tensor[]) =>
    tf.tidy(() => {
      const [logits, ids, normalizers, value] = saved as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D, tf.Tensor1D];
      const fused = runFused('LogProbabilityGradient', { dy, logits, ids, normalizers }, { temperature });
      if (fused) return fused[0] as tf.Tensor2D;
      const slope = scaled(dy, temperature); // [n]
      const softmax = tf.exp(tf.sub(scaled(logits, temperature), normalizers));
      const others = tf.mul(softmax, tf.expandDims(tf.neg(slope), 1));
      return tf.tensorScatterUpdate(others, ownIndices(ids), tf.mul(slope, tf.sub(1, tf.exp(value))));
    });
  return { value, gradFunc };
}

/** Where the logit of each row's own token lies: [n, 2]. */
function ownIndices(ids: tf.Tensor1D): tf.Tensor2D {
  return tf.stack([tf.range(0, ids.shape[0], 1, 'int32'), ids], 1) as tf.Tensor2D;
}

function scaled<T extends tf.Tensor>(tensor: T, temperature: number): T {
  return temperature === 1 ? tensor : tf.div(tensor, temperature);
}

function checkIds(logits: tf.Tensor2D, ids: tf.Tensor1D): void {
  const rows = logits.shape[0];
  if (ids.dtype === 'int32' && ids.shape[0] === rows) return;
  throw new ShapeError(`${rows} rows of logits need int32 ids [${rows}], got ${ids.dtype} [${ids.shape}]`);
}

function checkTemperature(temperature: number): void {
  if (temperature > 0 && temperature < Infinity) return;
  throw new InvalidArgumentError(`temperature must be finite and > 0, got ${temperature}`);
}
