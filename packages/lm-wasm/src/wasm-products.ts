import * as tf from '@tensorflow/tfjs-core';
import { simdKernels } from './simd-kernels.js';
import { addressOf, type KernelCall, sizeOf, type WasmBackend } from './wasm-heap.js';

/**
 * Products of matrices and of batches of them, either side transposed or not, by SIMD kernels of our own: tfjs has a fast path
 * only for a single product without transposes. Leaves what they do not support to `original`.
 */
export function batchMatMul(call: KernelCall, original: tf.KernelFunc): tf.TensorInfo | tf.TensorInfo[] {
  const wasm = call.backend as WasmBackend;
  const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const { transposeA, transposeB } = call.attrs as unknown as { transposeA: boolean; transposeB: boolean };
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const [countA, countB] = [sizeOf(batchA), sizeOf(batchB)];
  const kernels = simdKernels(wasm);
  const isPlainBatch = countA === 1 || countB === 1 || batchA.join() === batchB.join();
  if (!kernels || a.dtype !== 'float32' || b.dtype !== 'float32' || !isPlainBatch) {
    return original(call as Parameters<tf.KernelFunc>[0]);
  }
  const [rowsA, colsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, colsB] = b.shape.slice(-2) as [number, number];
  const [rows, depth] = transposeA ? [colsA, rowsA] : [rowsA, colsA];
  const columns = transposeB ? rowsB : colsB;
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const out = wasm.makeOutput([...batch, rows, columns], 'float32');
  const [addressA, addressB, addressOut] = [addressOf(wasm, a), addressOf(wasm, b), addressOf(wasm, out)];
  // bytes from row to row, and from column to column
  const [rowA, columnA] = transposeA ? [4, 4 * colsA] : [4 * colsA, 4];
  const [rowB, columnB] = transposeB ? [4, 4 * colsB] : [4 * colsB, 4];
  kernels.scratch(kernels.productScratch(), (scratch) => {
    for (let index = 0; index < sizeOf(batch); index++) {
      const left = addressA + (countA === 1 ? 0 : 4 * index * rowsA * colsA);
      const right = addressB + (countB === 1 ? 0 : 4 * index * rowsB * colsB);
      const to = addressOut + 4 * index * rows * columns;
      kernels.product(left, rowA, columnA, right, rowB, columnB, to, rows, columns, depth, scratch);
    }
  });
  return out;
}
