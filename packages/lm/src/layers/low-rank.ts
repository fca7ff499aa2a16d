import * as tf from '@tensorflow/tfjs-core';
import { linear } from './basic-layers.js';

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
  return a && b ? tf.add(y, linear(linear(x, a), b)) : y;
}
