import * as tf from '@tensorflow/tfjs-core';

/** Low-rank updates of linear layers: y = layer(x) + scaling · (x · Aᵀ) · Bᵀ (Hu et al. 2021). */
export interface LowRankUpdates {
  /** A [rank, in] and B [out, rank] of each layer, under the names of {@link lowRankNames}. */
  readonly weights: Readonly<Record<string, tf.Tensor>>;
  readonly scaling: number;
}

/** The names of A and B of the layer `name`: the name of its weight without `.weight`. */
export function lowRankNames(name: string): readonly [a: string, b: string] {
  return [`${name}.lora_A.weight`, `${name}.lora_B.weight`];
}

/** The weights of the updates for one forward pass: A, and B times the scaling. Call inside a tidy. */
export function scaledUpdates({ weights, scaling }: LowRankUpdates): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [
      name,
      name.endsWith('.lora_B.weight') && scaling !== 1 ? tf.mul(weight, scaling) : weight,
    ]),
  );
}

/** `y`, the output of the layer `name` for `x`, plus the low-rank update if `weights` has one for this layer. */
export function withUpdate(
  y: tf.Tensor,
  x: tf.Tensor,
  weights: Readonly<Record<string, tf.Tensor>>,
  name: string,
): tf.Tensor {
  const [a, b] = lowRankNames(name).map((each) => weights[each]);
  return a && b ? addUpdate(y, x, a, b) : y;
}

/**
 * y + (x · Aᵀ) · Bᵀ over the last axis, as one differentiable op. tfjs would keep both terms of the sum for the backward pass,
 * which are as large as `y`; this keeps `x`, which the layer keeps too, and x · Aᵀ.
 * @param x [..., in]
 * @param a [rank, in]
 * @param b [out, rank]
 */
export function addUpdate(y: tf.Tensor, x: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const asRows = (tensor: tf.Tensor) => tf.reshape(tensor, [-1, tensor.shape.at(-1)!]) as tf.Tensor2D;
  return tf.customGrad((...given) => {
    const down = tf.matMul(asRows(x), a as tf.Tensor2D, false, true);
    const value = tf.add(y, tf.reshape(tf.matMul(down, b as tf.Tensor2D, false, true), y.shape));
    (given.at(-1) as tf.GradSaveFunc)([x, a, b, down]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) =>
      tf.tidy(() => {
        const [x, a, b, down] = saved as [tf.Tensor, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
        const slope = asRows(dy);
        const ofDown = tf.matMul(slope, b);
        const ofX = tf.reshape(tf.matMul(ofDown, a), x.shape);
        return [tf.clone(dy), ofX, tf.matMul(ofDown, asRows(x), true), tf.matMul(slope, down, true)];
      });
    return { value, gradFunc };
  })(y, x, a, b);
}
