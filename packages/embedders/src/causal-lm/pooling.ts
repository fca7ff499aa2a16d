import type { CausalLanguageModel } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';

/** Mean over the real tokens of each row, without padding: values [batch, T, width], mask int32 [batch, T] → [batch, width]. */
export function meanPool(values: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const real = tf.cast(mask, 'float32');
    const sums = tf.sum(tf.mul(values, tf.expandDims(real, 2)), 1);
    return tf.div(sums, tf.maximum(tf.sum(real, 1, true), 1)) as tf.Tensor2D;
  });
}

/** State of the last real token of each row, for padding on the right; shapes as in {@link meanPool}. */
export function lastTokenPool(values: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const [batch, length, width] = values.shape;
    const lengths = tf.sum(tf.cast(mask, 'int32'), 1);
    const starts = tf.range(0, batch * length, length, 'int32');
    const rows = tf.cast(tf.sub(tf.add(starts, lengths), tf.scalar(1, 'int32')), 'int32');
    return tf.gather(tf.reshape(values, [batch * length, width]), rows) as tf.Tensor2D;
  });
}

/** Maximum of each column over the real tokens; shapes as in {@link meanPool}. */
export function maxPool(values: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const real = tf.expandDims(tf.cast(mask, 'bool'), 2);
    const lowest = tf.fill(values.shape, -3.4e38);
    return tf.max(tf.where(tf.broadcastTo(real, values.shape), values, lowest), 1) as tf.Tensor2D;
  });
}

/** Logits in memory at a time: 64 MiB, and a few times that with intermediate results. */
const blockLogits = 2 ** 24;

/**
 * Mean logits over the real tokens of each row, for a head that is not linear. Computes the logits in blocks of tokens, so that
 * those of a long row are never in memory together. hidden [batch, T, hidden], mask int32 [batch, T] → [batch, vocabulary].
 */
export function meanLogits(model: CausalLanguageModel, hidden: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor2D {
  const [batch, length, width] = hidden.shape;
  const step = Math.max(1, Math.floor(blockLogits / model.description.vocabularySize));
  return tf.tidy(() => {
    const rows = Array.from({ length: batch }, (_, row) => {
      let sums: tf.Tensor2D | undefined;
      for (let start = 0; start < length; start += step) {
        const count = Math.min(step, length - start);
        const earlier = sums;
        sums = tf.tidy((): tf.Tensor2D => {
          const states = tf.reshape(tf.slice(hidden, [row, start, 0], [1, count, width]), [
            count,
            width,
          ]) as tf.Tensor2D;
          const real = tf.cast(tf.slice(mask, [row, start], [1, count]), 'float32') as tf.Tensor2D;
          const part = tf.matMul(real, model.logits(states)) as tf.Tensor2D;
          return earlier === undefined ? part : (tf.add(earlier, part) as tf.Tensor2D);
        });
        earlier?.dispose();
      }
      return sums!;
    });
    const counts = tf.sum(tf.cast(mask, 'float32'), 1, true);
    return tf.div(tf.concat(rows, 0), tf.maximum(counts, 1)) as tf.Tensor2D;
  });
}
