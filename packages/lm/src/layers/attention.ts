import { isFused, runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** Most attention scores in memory at once: 128 MiB, and a few times that with the intermediate results. */
const maxScores = 2 ** 25;

/**
 * Scaled dot-product attention with grouped key/value heads (Vaswani et al. 2017; Ainslie et al. 2023). Very long rows are
 * computed a block of queries at a time, so that memory is bounded.
 *
 * query [batch, heads, T, headSize], key and value [batch, keyValueHeads, S, headSize], bias [batch, 1, T, S]
 * → [batch, T, heads · headSize].
 * @param scale factor of the scores before the bias is added; most families take 1 / √headSize
 */
export function attention(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  bias: tf.Tensor,
  scale: number,
): tf.Tensor {
  const [batch, heads, length, headSize] = query.shape as [number, number, number, number];
  const columns = key.shape[2]!;
  const step = Math.max(1, Math.floor(maxScores / (batch * heads * columns)));
  if (step >= length) return attentionOfQueries(query, key, value, bias, scale);
  const parts: tf.Tensor[] = [];
  for (let start = 0; start < length; start += step) {
    const count = Math.min(step, length - start);
    const part = tf.tidy(() => {
      const queries = tf.slice(query, [0, 0, start, 0], [batch, heads, count, headSize]);
      const biases = tf.slice(bias, [0, 0, start, 0], [batch, 1, count, columns]);
      return attentionOfQueries(queries, key, value, biases, scale);
    });
    parts.push(part);
  }
  return tf.concat(parts, 1);
}

/** Folds query heads that share a key head into its rows, so that keys and values are not copied. */
function attentionOfQueries(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  bias: tf.Tensor,
  scale: number,
): tf.Tensor {
  const [batch, heads, length, headSize] = query.shape as [number, number, number, number];
  const [, keyValueHeads, columns] = key.shape as [number, number, number, number];
  const folded = [batch, keyValueHeads, (heads / keyValueHeads) * length];
  const scores = tf.matMul(tf.reshape(query, [...folded, headSize]), key, false, true);
  const unfolded = tf.reshape(scores, [batch, heads, length, columns]);
  const shares = tf.reshape(attentionShares(unfolded, bias, scale), [...folded, columns]);
  const mixed = tf.reshape(tf.matMul(shares, value), [batch, heads, length, headSize]);
  return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, length, heads * headSize]);
}

/** softmax(scores · scale + bias): scores [batch, heads, T, S], bias [batch, 1, T, S]. No gradient reaches the bias. */
function attentionShares(scores: tf.Tensor, bias: tf.Tensor, scale: number): tf.Tensor {
  const [batch, , ...sizes] = scores.shape;
  const isWhole = bias.shape.join() === [batch, 1, ...sizes].join();
  if (!isWhole || !isFused({ scores, bias })) return tf.softmax(tf.add(tf.mul(scores, scale), bias));
  return tf.customGrad((input, save) => {
    const shares = runFused('AttentionShares', { scores: input as tf.Tensor, bias }, { scale })![0]!;
    (save as tf.GradSaveFunc)([shares]);
    const gradFunc = (dy: tf.Tensor, [shares]: tf.Tensor[]) =>
      runFused('AttentionSharesGradient', { dy, shares: shares! }, { scale })![0]!;
    return { value: shares, gradFunc };
  })(scores);
}

/** Splits the last axis into heads: [batch, T, heads · headSize] → [batch, heads, T, headSize]. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}
