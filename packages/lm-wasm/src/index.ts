/**
 * The wasm backend of TensorFlow.js, made fit to train language models: {@link mendWasmKernels} repairs its tfjs kernels, and puts
 * SIMD kernels of our own on its memory. They are compiled from AssemblyScript and own no byte of that memory; `assembly/` says
 * what each of them computes. {@link runFused} is what layers, losses and the optimizer call where one kernel replaces many tfjs
 * ops.
 */
export { type AdamWFactors, isFused, runFused } from './fused-kernels.js';
export { mendWasmKernels } from './mend-wasm-kernels.js';
export type { KernelCall, WasmBackend } from './wasm-heap.js';
