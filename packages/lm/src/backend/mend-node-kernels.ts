import type { KernelCall } from '@rarefy/lm-wasm';
import * as tf from '@tensorflow/tfjs-core';

/** The parts of @tensorflow/tfjs-node 4.22 that tfjs kernels of our own need. */
export interface NodeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: {
    readonly TF_ATTR_BOOL: number;
    readonly TF_ATTR_INT: number;
    readonly TF_ATTR_TYPE: number;
    readonly TF_FLOAT: number;
    readonly TF_INT32: number;
  };
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly tf.TensorInfo[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly tf.TensorInfo[],
    count: number,
  ): tf.Tensor[];
  write(values: Int32Array, shape: readonly number[], dtype: tf.DataType): object;
  disposeData(dataId: object): boolean;
}

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

let mended = false;

/**
 * Replaces tfjs kernels of @tensorflow/tfjs-node 4.22 that make tensors for their axes and shapes, and copies: these take longer
 * than the operation, for small tensors. Call it after importing that package; further calls do nothing.
 *
 * BatchMatMul stays TensorFlow's BatchMatMulV2. Its MatMul is twice as fast for few rows, but a signal that arrives while it
 * computes (a child process ends, a window changes its size) corrupts the heap of the process, in TensorFlow 2.12 with AVX-512.
 */
export function mendNodeKernels(): void {
  if (mended) return;
  mended = true;
  replace('Mean', mean);
  replace('Reshape', reshape);
  replace('SplitV', split);
}

/** @param compute undefined for a call that the replaced tfjs kernel computes */
function replace(
  name: string,
  compute: (call: KernelCall, backend: NodeBackend) => tf.TensorInfo | tf.TensorInfo[] | undefined,
): void {
  const { kernelFunc, ...rest } = tf.getKernel(name, 'tensorflow')!;
  tf.unregisterKernel(name, 'tensorflow');
  tf.registerKernel({
    ...rest,
    kernelFunc: (call) => compute(call as KernelCall, call.backend as NodeBackend) ?? kernelFunc(call),
  });
}

function mean({ inputs, attrs }: KernelCall, backend: NodeBackend): tf.TensorInfo | undefined {
  const x = inputs.x as tf.TensorInfo;
  if (x.dtype !== 'float32') return undefined;
  const { axis, keepDims } = attrs as unknown as { axis: number | number[]; keepDims: boolean };
  const { TF_ATTR_BOOL: type } = backend.binding;
  return withIntegers(backend, tf.util.parseAxisParam(axis, x.shape), (axes) =>
    backend.executeSingleOutput(
      'Mean',
      [ofFloats(backend, 'T'), ofIntegers(backend, 'Tidx'), { name: 'keep_dims', type, value: keepDims }],
      [x, axes],
    ),
  );
}

function reshape({ inputs, attrs }: KernelCall, backend: NodeBackend): tf.TensorInfo | undefined {
  const x = inputs.x as tf.TensorInfo;
  if (x.dtype !== 'float32') return undefined;
  return withIntegers(backend, attrs!.shape as number[], (shape) =>
    backend.executeSingleOutput('Reshape', [ofFloats(backend, 'T'), ofIntegers(backend, 'Tshape')], [x, shape]),
  );
}

function split({ inputs, attrs }: KernelCall, backend: NodeBackend): tf.TensorInfo[] | undefined {
  const x = inputs.x as tf.TensorInfo;
  if (x.dtype !== 'float32') return undefined;
  const { numOrSizeSplits, axis } = attrs as unknown as { numOrSizeSplits: number | number[]; axis: number };
  const [positive] = tf.util.parseAxisParam(axis, x.shape) as [number];
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, positive);
  const { TF_ATTR_INT: type } = backend.binding;
  return withIntegers(backend, sizes, (sizesTensor) =>
    withIntegers(backend, positive, (axisTensor) =>
      backend.executeMultipleOutputs(
        'SplitV',
        [{ name: 'num_split', type, value: sizes.length }, ofFloats(backend, 'T'), ofIntegers(backend, 'Tlen')],
        [x, sizesTensor, axisTensor],
        sizes.length,
      ),
    ),
  );
}

/** Calls `use` with an int32 vector or scalar that tfjs does not count as a tensor. */
function withIntegers<Result>(
  backend: NodeBackend,
  values: readonly number[] | number,
  use: (tensor: tf.TensorInfo) => Result,
): Result {
  const shape = typeof values === 'number' ? [] : [values.length];
  const dataId = backend.write(Int32Array.from([values].flat()), shape, 'int32');
  const result = use({ dataId, shape, dtype: 'int32' });
  backend.disposeData(dataId);
  return result;
}

function ofFloats({ binding }: NodeBackend, name: string): Attribute {
  return { name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
}

function ofIntegers({ binding }: NodeBackend, name: string): Attribute {
  return { name, type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 };
}
