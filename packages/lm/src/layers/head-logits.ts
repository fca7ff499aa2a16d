import * as tf from '@tensorflow/tfjs-core';
import type { OutputHead } from '../causal-language-model.js';

/** softCap(hidden · weightᵀ + bias): [n, hidden] → [n, vocabulary]. */
export function headLogits(hiddenStates: tf.Tensor2D, { weight, bias, softCap }: OutputHead): tf.Tensor2D {
  return tf.tidy(() => {
    const product = tf.matMul(hiddenStates, weight, false, true);
    const linear = bias === undefined ? product : tf.add(product, bias);
    return (softCap === undefined ? linear : tf.mul(tf.tanh(tf.div(linear, softCap)), softCap)) as tf.Tensor2D;
  });
}
