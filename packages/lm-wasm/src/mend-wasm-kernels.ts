import * as tf from '@tensorflow/tfjs-core';
import { registerFusedKernels } from './fused-kernels.js';
import { loadSimdKernels, simdKernels } from './simd-kernels.js';
import { addressOf, type KernelCall, replaceKernel, sizeOf, type WasmBackend } from './wasm-heap.js';
import { batchMatMul } from './wasm-products.js';
import { sumInFloat64 } from './wasm-sums.js';

let mended: Promise<void> | undefined;

/**
 * Replaces tfjs kernels of @tensorflow/tfjs-backend-wasm 4.22 that are missing, wrong or slow in training. Call it after
 * importing that package, and wait for it; further calls do nothing.
 * - UnsortedSegmentSum, which the gradient of an embedding needs, is missing.
 * - OneHot writes int32 bits into a float32 result, which is silently wrong.
 * - Sum and Mean add up in plain float32, which is up to 25 % off over large tensors.
 * - Identity, Slice and SplitV copy their whole input, or copy it one number after the other; GatherV2 too.
 * - BatchMatMul takes a slow path for every transposed or batched product, and every gradient has such products.
 *
 * Where the engine has SIMD, layers, losses and the optimizer also use fused kernels of `@rarefy/lm-wasm`.
 */
export function mendWasmKernels(): Promise<void> {
  mended ??= mend();
  return mended;
}

async function mend(): Promise<void> {
  await loadSimdKernels();
  replaceKernel('UnsortedSegmentSum', unsortedSegmentSum);
  replaceKernel('OneHot', oneHot);
  replaceKernel('Identity', identity);
  replaceKernel('Slice', slice);
  replaceKernel('SplitV', splitV);
  const originals = ['BatchMatMul', 'Sum', 'Mean', 'GatherV2'].map((name) => tf.getKernel(name, 'wasm')!.kernelFunc);
  const [product, sum, mean, gather] = originals;
  replaceKernel('BatchMatMul', (call) => batchMatMul(call, product!));
  replaceKernel('Sum', (call) => sumInFloat64(call, sum!, false));
  replaceKernel('Mean', (call) => sumInFloat64(call, mean!, true));
  replaceKernel('GatherV2', (call) => gatherRows(call, gather!));
  registerFusedKernels();
}

/** out[s] = sum of the rows of x with segment id s. Ignores rows with an id outside [0, numSegments). */
function unsortedSegmentSum({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const wasm = backend as WasmBackend;
  const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
  const segments = attrs!.numSegments as number;
  const rest = x.shape.slice(segmentIds.shape.length);
  const width = sizeOf(rest);
  const out = wasm.makeOutput([segments, ...rest], x.dtype);
  const kernels = simdKernels(wasm);
  if (kernels && x.dtype === 'float32') {
    const [from, ids, to] = [addressOf(wasm, x), addressOf(wasm, segmentIds), addressOf(wasm, out)];
    kernels.segmentSum(from, ids, sizeOf(segmentIds.shape), width, segments, to);
    return out;
  }
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

/** The same memory, counted once more, as tfjs-node and the cpu backend do. */
function identity({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { dataId, shape, dtype } = inputs.x as tf.TensorInfo;
  (backend as WasmBackend).incRef(dataId);
  return { dataId, shape, dtype };
}

/** Copies only the numbers of the slice. */
function slice({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const wasm = backend as WasmBackend;
  const x = inputs.x as tf.TensorInfo;
  const { begin, size } = attrs as unknown as { begin: number[]; size: number[] };
  const [starts, sizes] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as [number[], number[]];
  const out = wasm.makeOutput(sizes, x.dtype);
  const [from, to] = [wasm.typedArrayFromHeap(x), wasm.typedArrayFromHeap(out)];
  if (to.length === 0) return out;
  // Axes from `axis + 1` on are whole, so that `run` adjacent numbers are copied at once.
  let axis = x.shape.length - 1;
  while (axis > 0 && sizes[axis] === x.shape[axis]) axis--;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const run = inner * (sizes[axis] ?? 1);
  const strides = x.shape.map((_, index) => sizeOf(x.shape.slice(index + 1)));
  const copy = (level: number, source: number, target: number): number => {
    if (level >= axis) {
      const start = source + (starts[axis] ?? 0) * inner;
      to.set(from.subarray(start, start + run), target);
      return target + run;
    }
    let next = target;
    for (let index = 0; index < sizes[level]!; index++) {
      next = copy(level + 1, source + (starts[level]! + index) * strides[level]!, next);
    }
    return next;
  };
  copy(0, 0, 0);
  return out;
}

/** Parts of a tensor along one axis. */
function splitV({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const x = inputs.x as tf.TensorInfo;
  const { numOrSizeSplits, axis } = attrs as unknown as { numOrSizeSplits: number | number[]; axis: number };
  const along = tf.util.parseAxisParam(axis, x.shape)[0]!;
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along);
  let start = 0;
  return sizes.map((length) => {
    const begin = x.shape.map((_, index) => (index === along ? start : 0));
    const size = x.shape.map((whole, index) => (index === along ? length : whole));
    start += length;
    return slice({ inputs: { x }, attrs: { begin, size }, backend });
  });
}

/** Rows of a table, each copied at once. Leaves other axes, and ids that are out of range, to `original`. */
function gatherRows(call: KernelCall, original: tf.KernelFunc): tf.TensorInfo | tf.TensorInfo[] {
  const wasm = call.backend as WasmBackend;
  const { x, indices } = call.inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
  const { axis, batchDims } = call.attrs as unknown as { axis: number; batchDims: number };
  const rows = x.shape[0]!;
  const ids = wasm.typedArrayFromHeap(indices);
  const isPlain = axis === 0 && !batchDims && x.dtype !== 'string' && indices.dtype === 'int32';
  if (!isPlain || ids.some((id) => id < 0 || id >= rows)) return original(call as Parameters<tf.KernelFunc>[0]);
  const out = wasm.makeOutput([...indices.shape, ...x.shape.slice(1)], x.dtype);
  const bytes = sizeOf(x.shape.slice(1)) * tf.util.bytesPerElement(x.dtype);
  const [from, to] = [addressOf(wasm, x), addressOf(wasm, out)];
  const heap = wasm.wasm.HEAPU8; // read after the allocation, which may have moved the heap
  wasm.typedArrayFromHeap(indices).forEach((id, index) => {
    heap.copyWithin(to + index * bytes, from + id * bytes, from + (id + 1) * bytes);
  });
  return out;
}
