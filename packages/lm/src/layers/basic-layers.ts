import { InputError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * x · weightᵀ + bias over the last axis: [..., in] → [..., out] with weight [out, in], as PyTorch stores it.
 * The product is 2-D: tfjs broadcasts a rank-3 input, which is slower and has a faulty gradient.
 */
export function linear(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  return product(x, weight, bias, true, weight.shape[0]!);
}

/** x · weight + bias with weight [in, out], as GPT-2's Conv1D stores it. */
export function linearTransposed(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  return product(x, weight, bias, false, weight.shape[1]!);
}

function product(
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor | undefined,
  transpose: boolean,
  out: number,
): tf.Tensor {
  const rows = tf.reshape(x, [-1, x.shape[x.rank - 1]!]);
  const y = tf.matMul(rows as tf.Tensor2D, weight as tf.Tensor2D, false, transpose);
  return tf.reshape(bias ? tf.add(y, bias) : y, [...x.shape.slice(0, -1), out]);
}

/** Rows of an embedding table [rows, width] at int32 `indices` [batch, T]: [batch, T, width]. */
export function embedding(table: tf.Tensor, indices: tf.Tensor2D): tf.Tensor {
  const [batch, length] = indices.shape;
  const flat = tf.reshape(indices, [batch * length]) as tf.Tensor1D;
  return tf.reshape(tf.gather(table, flat), [batch, length, table.shape[1]!]);
}

/** The output head: logits = softCap(scale · (hidden · weightᵀ + bias)), weight [vocabulary, hidden]. */
export interface OutputHead {
  readonly weight: tf.Tensor2D;
  /** [vocabulary]; the built-in families have none. */
  readonly bias?: tf.Tensor1D;
  /** Factor of the logits, before the cap; default 1. Granite has one. */
  readonly scale?: number;
  /** If set, logits are softCap * tanh(x / softCap). */
  readonly softCap?: number;
}

/** Logits of hidden states: [n, hidden] → [n, vocabulary]. */
export function headLogits(hiddenStates: tf.Tensor2D, { weight, bias, scale, softCap }: OutputHead): tf.Tensor2D {
  return tf.tidy(() => {
    const product = tf.matMul(hiddenStates, weight, false, true);
    const sum = bias === undefined ? product : tf.add(product, bias);
    const linear = scale === undefined ? sum : tf.mul(sum, scale);
    return (softCap === undefined ? linear : tf.mul(tf.tanh(tf.div(linear, softCap)), softCap)) as tf.Tensor2D;
  });
}

/** x / rms(x) over the last axis, times `weight` if given (Zhang & Sennrich 2019). */
export function rmsNorm(x: tf.Tensor, epsilon: number, weight?: tf.Tensor): tf.Tensor {
  const scaled = tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon)));
  return weight ? tf.mul(scaled, weight) : scaled;
}

/** (x - mean) / standard deviation over the last axis, times `weight`, plus `bias` (Ba et al. 2016). */
export function layerNorm(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, epsilon: number): tf.Tensor {
  const centered = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centered), -1, true);
  return tf.add(tf.mul(tf.mul(centered, tf.rsqrt(tf.add(variance, epsilon))), weight), bias);
}

/** The activation with the name that a config.json gives. @throws InputError if the name is not supported. */
export function activation(name: string): (x: tf.Tensor) => tf.Tensor {
  const found = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (found) return found;
  throw new InputError(
    `the activation '${name}' is not supported; use a model with one of ${Object.keys(activations).join(', ')}`,
  );
}

const silu = (x: tf.Tensor) => tf.mul(x, tf.sigmoid(x));
const geluTanh = (x: tf.Tensor) =>
  tf.mul(
    tf.mul(x, 0.5),
    tf.add(tf.tanh(tf.mul(tf.add(x, tf.mul(tf.mul(x, tf.square(x)), 0.044715)), Math.sqrt(2 / Math.PI))), 1),
  );

const activations: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  silu,
  swish: silu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  relu: (x) => tf.relu(x),
  relu2: (x) => tf.square(tf.relu(x)),
};
