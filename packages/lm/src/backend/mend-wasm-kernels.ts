import * as tf from '@tensorflow/tfjs-core';
import { type KernelCall, replaceKernel, sizeOf, type WasmBackend } from './wasm-heap.js';
import { sumInFloat64 } from './wasm-sums.js';

let mended = false;

/**
 * Replaces tfjs kernels of @tensorflow/tfjs-backend-wasm 4.22 that are missing, wrong or slow in training. Call it after
 * importing that package; further calls do nothing.
 * - UnsortedSegmentSum, which the gradient of an embedding needs, is missing.
 * - OneHot writes int32 bits into a float32 result, which is silently wrong.
 * - Sum and Mean add up in plain float32, which is up to 25 % off over large tensors.
 * - BatchMatMul takes a slow path for every transposed or batched product, and every gradient has such products.
 */
export function mendWasmKernels(): void {
  if (mended) return;
  mended = true;
  replaceKernel('UnsortedSegmentSum', unsortedSegmentSum);
  replaceKernel('OneHot', oneHot);
  const [product, sum, mean] = ['BatchMatMul', 'Sum', 'Mean'].map((name) => tf.getKernel(name, 'wasm')!.kernelFunc);
  replaceKernel('BatchMatMul', (call) => batchMatMul(call, product!));
  replaceKernel('Sum', (call) => sumInFloat64(call, sum!, false));
  replaceKernel('Mean', (call) => sumInFloat64(call, mean!, true));
}

/** out[s] = sum of the rows of x with segment id s. Ignores rows with an id outside [0, numSegments). */
function unsortedSegmentSum({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const wasm = backend as WasmBackend;
  const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
  const segments = attrs!.numSegments as number;
  const rest = x.shape.slice(segmentIds.shape.length);
  const width = sizeOf(rest);
  const out = wasm.makeOutput([segments, ...rest], x.dtype);
  const sums = wasm.typedArrayFromHeap(out).fill(0);
  const rows = wasm.typedArrayFromHeap(x);
  const ids = wasm.typedArrayFromHeap(segmentIds);
  for (let row = 0; row < ids.length; row++) {
    const segment = ids[row]!;
    if (segment < 0 || segment >= segments) continue;
    for (let column = 0; column < width; column++) sums[segment * width + column]! += rows[row * width + column]!;
  }
  return out;
}

function oneHot({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const wasm = backend as WasmBackend;
  const indices = inputs.indices as tf.TensorInfo;
  const { depth, onValue, offValue, dtype } = attrs as unknown as {
    depth: number;
    onValue: number;
    offValue: number;
    dtype: tf.DataType;
  };
  const out = wasm.makeOutput([...indices.shape, depth], dtype);
  const values = wasm.typedArrayFromHeap(out).fill(offValue);
  const ids = wasm.typedArrayFromHeap(indices);
  for (let row = 0; row < ids.length; row++) {
    if (ids[row]! >= 0 && ids[row]! < depth) values[row * depth + ids[row]!] = onValue;
  }
  return out;
}

/** Smaller products (in multiplications) are cheaper on the slow path than the setup of the fast path. */
const smallProduct = 20_000;

/** Computes each product of a batch with XNNPACK, which takes single products without transposes: views, or transposed copies. */
function batchMatMul(call: KernelCall, original: tf.KernelFunc): tf.TensorInfo | tf.TensorInfo[] {
  const wasm = call.backend as WasmBackend;
  const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const { transposeA, transposeB } = call.attrs as unknown as { transposeA: boolean; transposeB: boolean };
  const [rowsA, colsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, colsB] = b.shape.slice(-2) as [number, number];
  const batchA = sizeOf(a.shape.slice(0, -2));
  const batchB = sizeOf(b.shape.slice(0, -2));
  const multiplications = rowsA * colsA * (transposeB ? rowsB : colsB);
  const fast = batchA === 1 && batchB === 1 && !transposeA && !transposeB;
  const unusual =
    a.dtype !== 'float32' ||
    b.dtype !== 'float32' ||
    (batchA !== batchB && batchA !== 1 && batchB !== 1) ||
    (batchA === batchB && a.shape.length !== b.shape.length);
  if (fast || unusual || multiplications < smallProduct) return original(call as Parameters<tf.KernelFunc>[0]);

  const rows = transposeA ? colsA : rowsA;
  const cols = transposeB ? rowsB : colsB;
  const batch = (batchA >= batchB ? a : b).shape.slice(0, -2);
  const out = wasm.makeOutput([...batch, rows, cols], 'float32');
  // Read the offsets each time: an allocation may grow, and so move, the heap.
  const offset = (tensor: tf.TensorInfo) => wasm.dataIdMap.get(tensor.dataId).memoryOffset;
  for (let index = 0; index < Math.max(batchA, batchB); index++) {
    const left = operand(wasm, offset(a) + 4 * (batchA === 1 ? 0 : index * rowsA * colsA), rowsA, colsA, transposeA);
    const right = operand(wasm, offset(b) + 4 * (batchB === 1 ? 0 : index * rowsB * colsB), rowsB, colsB, transposeB);
    const product = original({
      inputs: { a: left.tensor, b: right.tensor },
      backend: call.backend,
      attrs: { transposeA: false, transposeB: false },
    } as unknown as Parameters<tf.KernelFunc>[0]) as tf.TensorInfo;
    const size = 4 * rows * cols;
    wasm.wasm.HEAPU8.copyWithin(offset(out) + index * size, offset(product), offset(product) + size);
    wasm.disposeData(product.dataId);
    left.release();
    right.release();
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
