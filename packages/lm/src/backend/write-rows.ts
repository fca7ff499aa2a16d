import type { WasmBackend } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend } from './mend-node-kernels.js';

/** Overwrites rows of a float32 matrix in place. Tensors that share its memory change with it. */
type WriteRows = (matrix: tf.Tensor, rows: tf.Tensor1D, values: tf.Tensor) => void;

/** How the current backend overwrites rows of a matrix; undefined if it cannot. */
export function rowWriter(): WriteRows | undefined {
  const backend = tf.backend();
  if (tf.getBackend() === 'wasm') return (...given) => writeOnHeap(backend as unknown as WasmBackend, ...given);
  if (tf.getBackend() !== 'tensorflow' || (backend as unknown as NodeBackend).isUsingGpuDevice) return undefined;
  return (...given) => writeInTensorFlow(backend as unknown as NodeBackend, ...given);
}

function writeInTensorFlow(backend: NodeBackend, matrix: tf.Tensor, rows: tf.Tensor1D, values: tf.Tensor): void {
  const { TF_ATTR_TYPE: type, TF_FLOAT: value } = backend.binding;
  // The result is one more name for the memory of the matrix.
  tf.dispose(backend.executeSingleOutput('InplaceUpdate', [{ name: 'T', type, value }], [matrix, rows, values]));
}

function writeOnHeap(backend: WasmBackend, matrix: tf.Tensor, rows: tf.Tensor1D, values: tf.Tensor): void {
  const width = matrix.shape[1]!;
  const [to, from, targets] = [matrix, values, rows].map((tensor) => backend.typedArrayFromHeap(tensor));
  for (const [index, row] of targets!.entries()) {
    to!.set(from!.subarray(index * width, (index + 1) * width), row * width);
  }
}
