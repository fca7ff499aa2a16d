import { isFused, runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { add, matMul, mul, reshape, softmax, split } from './kernels.js';

/** Most attention scores in memory at once: 128 MiB, and a few times that with the intermediate results. */
const maxScores = 2 ** 25;

/**
 * Scaled dot-product attention with grouped key/value heads (Vaswani et al. 2017; Ainslie et al. 2023). Very long rows are
 * computed a block of queries at a time, so that memory is bounded.
 *
 * query [batch, heads, T, headSize], key and value [batch, keyValueHeads, S, headSize], bias [batch, 1, T, S]
 * → [batch, T, heads · headSize].
 * @param bias added to the scores; default: nothing
 * @param scale factor of the scores before the bias is added; most families take 1 / √headSize
 */
export function attention(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  bias: tf.Tensor | undefined,
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
      const biases = bias && tf.slice(bias, [0, 0, start, 0], [batch, 1, count, columns]);
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
  bias: tf.Tensor | undefined,
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

/** softmax(scores · scale + bias): scores [batch, heads, T, S], bias [batch, 1, T, S] or none. No gradient reaches the bias. */
function attentionShares(scores: tf.Tensor, bias: tf.Tensor | undefined, scale: number): tf.Tensor {
  const [batch, , ...sizes] = scores.shape;
  const isWhole = bias?.shape.join() === [batch, 1, ...sizes].join();
  if (!bias || !isWhole || !isFused({ scores, bias })) {
    const scaled = tf.mul(scores, scale);
    return tf.softmax(bias ? tf.add(scaled, bias) : scaled);
  }
  return tf.customGrad((input, save) => {
    const shares = runFused('AttentionShares', { scores: input as tf.Tensor, bias }, { scale })![0]!;
    (save as tf.GradSaveFunc)([shares]);
    const gradFunc = (dy: tf.Tensor, [shares]: tf.Tensor[]) =>
      runFused('AttentionSharesGradient', { dy, shares: shares! }, { scale })![0]!;
    return { value: shares, gradFunc };
  })(scores);
}

/**
 * {@link attention} of one query per row, in the fewest operations: query [batch, heads, 1, headSize] → [batch, heads · headSize].
 */
export function attentionStep(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  bias: tf.Tensor | undefined,
  scale: number,
): tf.Tensor {
  const [batch, heads, , headSize] = query.shape as [number, number, number, number];
  const keyValueHeads = key.shape[1]!;
  const queries =
    keyValueHeads === heads ? query : reshape(query, [batch, keyValueHeads, heads / keyValueHeads, headSize]);
  const scores = matMul(mul(queries, scale), key, false, true);
  const shares = softmax(bias ? add(scores, bias) : scores);
  return reshape(matMul(shares, value), [batch, heads * headSize]);
}

/**
 * Splits the last axis into heads, and these into groups of `counts`: [batch, T, heads · headSize], or [batch, heads · headSize]
 * for one token per row → [batch, count, T, headSize] each.
 */
export function splitHeads(x: tf.Tensor, counts: readonly number[]): tf.Tensor[] {
  const heads = counts.reduce((sum, count) => sum + count, 0);
  const [batch, headSize] = [x.shape[0]!, x.shape.at(-1)! / heads];
  const all =
    x.rank === 2
      ? reshape(x, [batch, heads, 1, headSize])
      : tf.transpose(tf.reshape(x, [batch, x.shape[1]!, heads, headSize]), [0, 2, 1, 3]);
  return counts.length === 1 ? [all] : split(all, counts, 1);
}
