import * as tf from '@tensorflow/tfjs-core';
import { simdKernels } from './simd-kernels.js';
import { addressOf, type KernelCall, sizeOf, type WasmBackend } from './wasm-heap.js';

/**
 * Sum or mean over adjacent axes, added up in float64. tfjs adds one number after the other in float32: the sum of 97 million
 * equal numbers is then a quarter too small, and a softmax over 150,000 words is off by 1e-4. Leaves other dtypes, and axes that
 * are not adjacent, to `original`.
 */
export function sumInFloat64(
  call: KernelCall,
  original: tf.KernelFunc,
  mean: boolean,
): tf.TensorInfo | tf.TensorInfo[] {
  const wasm = call.backend as WasmBackend;
  const x = call.inputs.x as tf.TensorInfo;
  const { axis, keepDims } = call.attrs as unknown as { axis: number | number[]; keepDims: boolean };
  const rank = x.shape.length;
  const reduced = tf.util.parseAxisParam(axis, x.shape).sort((one, other) => one - other);
  const areAdjacent = reduced.every((value, index) => value === reduced[0]! + index);
  if (x.dtype !== 'float32' || rank === 0 || sizeOf(x.shape) === 0 || !areAdjacent) {
    return original(call as Parameters<tf.KernelFunc>[0]);
  }
  const [first, end] = [reduced[0]!, reduced.at(-1)! + 1];
  const count = sizeOf(x.shape.slice(first, end));
  const width = sizeOf(x.shape.slice(end));
  const kept = keepDims ? reduced.map(() => 1) : [];
  const out = wasm.makeOutput([...x.shape.slice(0, first), ...kept, ...x.shape.slice(end)], 'float32');
  const divisor = mean ? count : 1;
  const kernels = simdKernels(wasm);
  if (kernels) {
    const [from, to, blocks] = [addressOf(wasm, x), addressOf(wasm, out), sizeOf(out.shape) / width];
    if (width === 1) kernels.rowSums(from, blocks, count, divisor, to);
    else kernels.columnSums(from, blocks, count, width, divisor, to);
    return out;
  }
  const values = wasm.typedArrayFromHeap(x) as Float32Array;
  const sums = wasm.typedArrayFromHeap(out) as Float32Array;
  if (width === 1) sumRows(values, sums, count, divisor);
  else sumColumns(values, sums, count, width, divisor);
  return out;
}

/** sums[row] = sum of `count` adjacent values / divisor. */
function sumRows(values: Float32Array, sums: Float32Array, count: number, divisor: number): void {
  const unrolled = count - (count % 4);
  for (let row = 0, index = 0; row < sums.length; row++) {
    // Four independent sums: one would wait for each addition.
    let [a, b, c, d] = [0, 0, 0, 0];
    for (const end = index + unrolled; index < end; index += 4) {
      a += values[index]!;
      b += values[index + 1]!;
      c += values[index + 2]!;
      d += values[index + 3]!;
    }
    for (const end = index + count - unrolled; index < end; index++) a += values[index]!;
    sums[row] = (a + b + (c + d)) / divisor;
  }
}

/** Sums each column of consecutive blocks [count, width], one row of `sums` per block, divided by the divisor. */
function sumColumns(values: Float32Array, sums: Float32Array, count: number, width: number, divisor: number): void {
  const totals = new Float64Array(width);
  for (let block = 0, index = 0; block < sums.length; block += width) {
    totals.fill(0);
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < width; column++) totals[column]! += values[index++]!;
    }
    for (let column = 0; column < width; column++) sums[block + column] = totals[column]! / divisor;
  }
}
