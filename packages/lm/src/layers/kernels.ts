import * as tf from '@tensorflow/tfjs-core';

/**
 * Operations of tfjs as the tfjs kernels that they end in, with the same gradients. The checks and conversions of `tf.add` and the
 * others cost more than the kernel itself for the small tensors of one token. The caller gives float32 tensors of fitting shapes.
 */
function run(name: string, inputs: tf.NamedTensorMap, attributes?: tf.NamedAttrMap): tf.Tensor {
  return tf.engine().runKernel(name, inputs, attributes) as tf.Tensor;
}

export const add = (a: tf.Tensor, b: tf.Tensor | number) => run('Add', { a, b: operand(b) });
export const sub = (a: tf.Tensor, b: tf.Tensor | number) => run('Sub', { a, b: operand(b) });
export const mul = (a: tf.Tensor, b: tf.Tensor | number) => run('Multiply', { a, b: operand(b) });
export const square = (x: tf.Tensor) => run('Square', { x });
export const rsqrt = (x: tf.Tensor) => run('Rsqrt', { x });
export const sigmoid = (x: tf.Tensor) => run('Sigmoid', { x });
export const softmax = (logits: tf.Tensor) => run('Softmax', { logits }, { dim: logits.rank - 1 });
export const reshape = (x: tf.Tensor, shape: number[]) => run('Reshape', { x }, { shape });

export const split = (x: tf.Tensor, sizes: readonly number[], axis: number) =>
  tf.engine().runKernel('SplitV', { x }, { numOrSizeSplits: sizes as number[], axis }) as unknown as tf.Tensor[];

/** Mean over the last axis, which stays with size 1. */
export const rowMean = (x: tf.Tensor) => run('Mean', { x }, { axis: x.rank - 1, keepDims: true });

/** Product of matrices, or of batches of matrices of equal rank. */
export const matMul = (a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false) =>
  run('BatchMatMul', { a, b }, { transposeA, transposeB });

function operand(value: tf.Tensor | number): tf.Tensor {
  return typeof value === 'number' ? tf.scalar(value) : value;
}
