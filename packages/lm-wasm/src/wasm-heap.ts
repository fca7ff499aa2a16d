import * as tf from '@tensorflow/tfjs-core';

/** The parts of @tensorflow/tfjs-backend-wasm 4.22 that tfjs kernels of our own need. */
export interface WasmBackend {
  readonly wasm: {
    readonly HEAPU8: Uint8Array;
    /** Exports of the module, among them its memory. */
    readonly asm?: { readonly memory?: unknown };
    /** The shared memory of the module with threads. */
    readonly wasmMemory?: unknown;
    _malloc(bytes: number): number;
    _free(address: number): void;
  };
  readonly dataIdMap: { get(dataId: object): { memoryOffset: number } };
  makeOutput(shape: number[], dtype: tf.DataType, memoryOffset?: number): tf.TensorInfo;
  typedArrayFromHeap(tensor: tf.TensorInfo): Float32Array | Int32Array;
  incRef(dataId: object): void;
}

/** What tfjs hands to a kernel. */
export interface KernelCall {
  readonly inputs: tf.NamedTensorInfoMap;
  readonly attrs?: tf.NamedAttrMap;
  readonly backend: unknown;
}

/** Registers a tfjs kernel for the wasm backend in place of the one it has, if it has one. */
export function replaceKernel(
  kernelName: string,
  kernelFunc: (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[],
): void {
  const replaced = tf.getKernel(kernelName, 'wasm');
  if (replaced) tf.unregisterKernel(kernelName, 'wasm');
  // Keep the setup of the replaced tfjs kernel: it binds the wasm function that the original still calls.
  const { setupFunc, disposeFunc } = replaced ?? {};
  tf.registerKernel({
    kernelName,
    backendName: 'wasm',
    kernelFunc: kernelFunc as tf.KernelFunc,
    ...(setupFunc ? { setupFunc } : {}),
    ...(disposeFunc ? { disposeFunc } : {}),
  });
}

/** Address of the first number of a tensor. It stays when the heap grows, while views of the heap become invalid. */
export function addressOf(wasm: WasmBackend, { dataId }: tf.TensorInfo): number {
  return wasm.dataIdMap.get(dataId).memoryOffset;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
