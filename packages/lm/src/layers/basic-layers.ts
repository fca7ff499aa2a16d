import { InputError } from '@rarefy/core';
import { runFused } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { add, matMul, mul, rowMean, rsqrt, sigmoid, square, sub } from './kernels.js';

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
  const rows = x.rank === 2 ? x : tf.reshape(x, [-1, x.shape[x.rank - 1]!]);
  const y = matMul(rows, weight, false, transpose);
  const sum = bias ? add(y, bias) : y;
  return x.rank === 2 ? sum : tf.reshape(sum, [...x.shape.slice(0, -1), out]);
}

/** Rows of an embedding table [rows, width] at int32 `indices` [...]: [..., width]. */
export function embedding(table: tf.Tensor, indices: tf.Tensor): tf.Tensor {
  if (indices.rank === 1) return tf.gather(table, indices as tf.Tensor1D);
  const flat = tf.reshape(indices, [indices.size]) as tf.Tensor1D;
  return tf.reshape(tf.gather(table, flat), [...indices.shape, table.shape[1]!]);
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

/** x / rms(x) over the last axis, times `weight` [width] if given (Zhang & Sennrich 2019). One differentiable op. */
export function rmsNorm(x: tf.Tensor, epsilon: number, weight?: tf.Tensor): tf.Tensor {
  return tf.customGrad((...inputs) => {
    const save = inputs.at(-1) as tf.GradSaveFunc;
    const [x, weight] = inputs.slice(0, -1) as [tf.Tensor, tf.Tensor?];
    const fused = runFused('RmsNorm', { x, weight }, { epsilon });
    if (fused) {
      save([x, fused[1]!, ...(weight ? [weight] : [])]);
      const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, inverses, weight] = saved as [tf.Tensor, tf.Tensor, tf.Tensor?];
        return runFused('RmsNormGradient', { dy, x, inverses, weight }, {})!;
      };
      return { value: fused[0]!, gradFunc };
    }
    const inverse = rsqrt(add(rowMean(square(x)), epsilon));
    const normed = mul(x, inverse);
    save(weight ? [normed, inverse, weight] : [normed, inverse]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [normed, inverse, weight] = saved as [tf.Tensor, tf.Tensor, tf.Tensor?];
      const slope = weight ? tf.mul(dy, weight) : dy;
      const dx = normGradient(slope, normed, inverse);
      return weight ? [dx, sumRows(tf.mul(dy, normed))] : dx;
    };
    return { value: weight ? mul(normed, weight) : normed, gradFunc };
  })(...(weight ? [x, weight] : [x]));
}

/** (x - mean) / standard deviation over the last axis, times `weight`, plus `bias` (Ba et al. 2016). One differentiable op. */
export function layerNorm(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, epsilon: number): tf.Tensor {
  return tf.customGrad((x, weight, bias, save) => {
    const given = { x: x as tf.Tensor, weight: weight as tf.Tensor, bias: bias as tf.Tensor };
    const fused = runFused('LayerNorm', given, { epsilon });
    if (fused) {
      (save as tf.GradSaveFunc)([given.x, fused[1]!, given.weight]);
      const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, statistics, weight] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        return runFused('LayerNormGradient', { dy, x, statistics, weight }, {})!;
      };
      return { value: fused[0]!, gradFunc };
    }
    const centered = sub(x as tf.Tensor, rowMean(x as tf.Tensor));
    const inverse = rsqrt(add(rowMean(square(centered)), epsilon));
    const normed = mul(centered, inverse);
    (save as tf.GradSaveFunc)([normed, inverse, weight as tf.Tensor]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [normed, inverse, weight] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
      const slope = tf.mul(dy, weight);
      const dx = normGradient(tf.sub(slope, tf.mean(slope, -1, true)), normed, inverse);
      return [dx, sumRows(tf.mul(dy, normed)), sumRows(dy)];
    };
    return { value: add(mul(normed, weight as tf.Tensor), bias as tf.Tensor), gradFunc };
  })(x, weight, bias);
}

/** inverse · (slope - normed · mean(slope · normed)): the gradient of x ↦ x / rms(x). */
function normGradient(slope: tf.Tensor, normed: tf.Tensor, inverse: tf.Tensor): tf.Tensor {
  return tf.mul(tf.sub(slope, tf.mul(normed, tf.mean(tf.mul(slope, normed), -1, true))), inverse);
}

/** Sum over all axes but the last. */
function sumRows(x: tf.Tensor): tf.Tensor {
  return tf.sum(tf.reshape(x, [-1, x.shape.at(-1)!]), 0);
}

/** The activation with the name that a config.json gives. @throws InputError if the name is not supported. */
export function activation(name: string): (x: tf.Tensor) => tf.Tensor {
  const found = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (found) return found;
  throw new InputError(
    `the activation '${name}' is not supported; use a model with one of ${Object.keys(activations).join(', ')}`,
  );
}

/**
 * x · sigmoid(x · (a + b · x²)) as one differentiable op that keeps x and the sigmoid. Silu has a = 1, b = 0. The tanh form of
 * GELU (Hendrycks & Gimpel 2016) is written this way with tanh(v) = 2 · sigmoid(2v) - 1.
 */
function sigmoidGated(x: tf.Tensor, a: number, b: number): tf.Tensor {
  const argument = (x: tf.Tensor, cubic: number) =>
    cubic === 0 ? (a === 1 ? x : mul(x, a)) : mul(x, add(mul(square(x), cubic), a));
  return tf.customGrad((x, save) => {
    const input = x as tf.Tensor;
    const fused = runFused('Gate', { x: input }, { a, b });
    if (fused) {
      (save as tf.GradSaveFunc)([input]);
      const gradFunc = (dy: tf.Tensor, [x]: tf.Tensor[]) => runFused('GateGradient', { dy, x: x! }, { a, b })![0]!;
      return { value: fused[0]!, gradFunc };
    }
    const gate = sigmoid(argument(input, b));
    (save as tf.GradSaveFunc)([input, gate]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [input, gate] = saved as [tf.Tensor, tf.Tensor];
      const inner = argument(input, 3 * b); // x · derivative of the argument
      return tf.mul(dy, tf.mul(gate, tf.add(tf.mul(inner, tf.sub(1, gate)), 1)));
    };
    return { value: mul(input, gate), gradFunc };
  })(x);
}

const silu = (x: tf.Tensor) => sigmoidGated(x, 1, 0);
const geluTanh = (x: tf.Tensor) => sigmoidGated(x, 2 * Math.sqrt(2 / Math.PI), 2 * 0.044715 * Math.sqrt(2 / Math.PI));

const activations: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  silu,
  swish: silu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  relu: (x) => tf.relu(x),
  relu2: (x) => tf.square(tf.relu(x)),
};
