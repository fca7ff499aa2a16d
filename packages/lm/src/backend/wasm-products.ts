import type * as tf from '@tensorflow/tfjs-core';
import { type KernelCall, sizeOf, type WasmBackend } from './wasm-heap.js';

/** Smaller products (in multiplications) are cheaper on the slow path than the setup of the fast path. */
const smallProduct = 20_000;

/**
 * Computes each product of a batch with XNNPACK, which takes single products without transposes: views of both operands, or
 * transposed copies.
 */
export function batchMatMul(call: KernelCall, original: tf.KernelFunc): tf.TensorInfo | tf.TensorInfo[] {
  const wasm = call.backend as WasmBackend;
  const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const { transposeA, transposeB } = call.attrs as unknown as { transposeA: boolean; transposeB: boolean };
  const [rowsA, colsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, colsB] = b.shape.slice(-2) as [number, number];
  const [batchA, batchB] = [sizeOf(a.shape.slice(0, -2)), sizeOf(b.shape.slice(0, -2))];
  const [sizeA, sizeB] = [rowsA * colsA, rowsB * colsB];
  const rows = transposeA ? colsA : rowsA;
  const cols = transposeB ? rowsB : colsB;
  const fast = batchA === 1 && batchB === 1 && !transposeA && !transposeB;
  const unusual =
    a.dtype !== 'float32' ||
    b.dtype !== 'float32' ||
    (batchA !== batchB && batchA !== 1 && batchB !== 1) ||
    (batchA === batchB && a.shape.length !== b.shape.length);
  if (fast || unusual || sizeA * cols < smallProduct) return original(call as Parameters<tf.KernelFunc>[0]);

  // Read the offsets each time: an allocation may grow, and so move, the heap.
  const offset = (tensor: tf.TensorInfo) => wasm.dataIdMap.get(tensor.dataId).memoryOffset;
  const fastProduct = (a: tf.TensorInfo, b: tf.TensorInfo) =>
    original({
      inputs: { a, b },
      backend: call.backend,
      attrs: { transposeA: false, transposeB: false },
    } as unknown as Parameters<tf.KernelFunc>[0]) as tf.TensorInfo;
  // One product with a large transposed right side is a product of that side, transposed: only small matrices are copied then.
  const isSwapped = transposeB && batchA === 1 && batchB === 1 && sizeA + rows * cols < sizeB;
  const product = (index: number): tf.TensorInfo => {
    if (isSwapped) {
      const right = operand(wasm, offset(a), rowsA, colsA, !transposeA);
      const left = operand(wasm, offset(b), rowsB, colsB, false);
      const transposed = fastProduct(left.tensor, right.tensor);
      left.release();
      right.release();
      const { tensor } = operand(wasm, offset(transposed), cols, rows, true);
      wasm.disposeData(transposed.dataId);
      return tensor;
    }
    const left = operand(wasm, offset(a) + 4 * (batchA === 1 ? 0 : index * sizeA), rowsA, colsA, transposeA);
    const right = operand(wasm, offset(b) + 4 * (batchB === 1 ? 0 : index * sizeB), rowsB, colsB, transposeB);
    const result = fastProduct(left.tensor, right.tensor);
    left.release();
    right.release();
    return result;
  };
  const shape = [...(batchA >= batchB ? a : b).shape.slice(0, -2), rows, cols];
  const batch = Math.max(batchA, batchB);
  if (batch === 1) return { ...product(0), shape };
  const out = wasm.makeOutput(shape, 'float32');
  const bytes = 4 * rows * cols;
  for (let index = 0; index < batch; index++) {
    const result = product(index);
    wasm.wasm.HEAPU8.copyWithin(offset(out) + index * bytes, offset(result), offset(result) + bytes);
    wasm.disposeData(result.dataId);
  }
  return out;
}

/** One matrix in the heap as a tensor: a view, or a transposed copy. @param offset in bytes */
function operand(wasm: WasmBackend, offset: number, rows: number, cols: number, transpose: boolean) {
  if (!transpose) {
    const view = wasm.makeOutput([1, rows, cols], 'float32', offset);
    const release = () => {
      // The memory belongs to the whole tensor: remove only the registration of the view.
      wasm.wasm.tfjs.disposeData(wasm.dataIdMap.get(view.dataId).id);
      wasm.dataIdMap.delete(view.dataId);
    };
    return { tensor: view, release };
  }
  const copy = wasm.makeOutput([1, cols, rows], 'float32');
  const heap = new Float32Array(wasm.wasm.HEAPU8.buffer);
  const from = offset / 4;
  const to = wasm.dataIdMap.get(copy.dataId).memoryOffset / 4;
  const tile = 32; // both the read and the written tile fit into the first-level cache
  for (let row0 = 0; row0 < rows; row0 += tile) {
    const row1 = Math.min(rows, row0 + tile);
    for (let col0 = 0; col0 < cols; col0 += tile) {
      const col1 = Math.min(cols, col0 + tile);
      for (let col = col0; col < col1; col++) {
        for (let row = row0; row < row1; row++) heap[to + col * rows + row] = heap[from + row * cols + col]!;
      }
    }
  }
  return { tensor: copy, release: () => void wasm.disposeData(copy.dataId) };
}
