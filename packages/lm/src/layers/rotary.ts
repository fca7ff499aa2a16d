import * as tf from '@tensorflow/tfjs-core';

/** Cosine and sine of the angles of every position: [positions, headSize / 2] each. */
interface RotaryTable {
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
}

/** Angles position · base^(-2i / headSize), in float32 as PyTorch computes them (Su et al. 2021). The caller disposes the table. */
export function rotaryTable(positions: number, headSize: number, base: number): RotaryTable {
  const half = headSize / 2;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(1 / Math.fround(base ** ((2 * i) / headSize)));
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return { cos: tf.tensor2d(cos, [positions, half]), sin: tf.tensor2d(sin, [positions, half]) };
}

/** Rows of the table at `positions` [batch, T], shaped to broadcast over heads: [batch, 1, T, headSize / 2] each. */
export function rotaryAngles(table: RotaryTable, positions: tf.Tensor2D): { cos: tf.Tensor; sin: tf.Tensor } {
  const [batch, length] = positions.shape;
  const flat = tf.reshape(positions, [batch * length]) as tf.Tensor1D;
  const rows = (values: tf.Tensor2D) => tf.reshape(tf.gather(values, flat), [batch, 1, length, values.shape[1]]);
  return { cos: rows(table.cos), sin: rows(table.sin) };
}

/**
 * Rotates the two halves of each head: (a cos - b sin, b cos + a sin). x is [batch, heads, T, headSize].
 * Pass `-sin` to rotate in the opposite direction, as nanochat does.
 */
export function rotate(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const [a, b] = tf.split(x, 2, 3) as [tf.Tensor, tf.Tensor];
  return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))], 3);
}
