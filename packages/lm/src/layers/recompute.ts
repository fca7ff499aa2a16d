import * as tf from '@tensorflow/tfjs-core';

/**
 * Calls `run`, and frees its intermediate results: the backward pass computes them again (Chen et al. 2016, "Training Deep Nets
 * with Sublinear Memory Cost"). Value and gradients are those of `run(inputs, others)` itself, at the cost of a second forward
 * pass.
 * @param run a pure function of the values of its two arguments, called once now and once in a backward pass
 * @param inputs float32; the gradient flows to all of them
 * @param others what else `run` reads; no gradient flows to them
 */
export function recompute(
  run: (inputs: readonly tf.Tensor[], others: readonly tf.Tensor[]) => tf.Tensor,
  inputs: readonly tf.Tensor[],
  others: readonly tf.Tensor[],
): tf.Tensor {
  return tf.customGrad((...given) => {
    (given.at(-1) as tf.GradSaveFunc)([...inputs, ...others]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [again, rest] = [saved.slice(0, inputs.length), saved.slice(inputs.length)];
      return innerGradients((...tensors) => run(tensors, rest), again, dy);
    };
    return { value: run(inputs, others), gradFunc };
  })(...inputs);
}

/** Gradients inside a backward pass. tfjs records them on the tape that the outer pass still needs, and then drops the tape. */
function innerGradients(f: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[], dy: tf.Tensor): tf.Tensor[] {
  const { state } = tf.engine();
  const outer = state.activeTape;
  try {
    return tf.grads(f)(inputs, dy);
  } finally {
    state.activeTape = outer;
  }
}
