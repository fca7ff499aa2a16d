/**
 * SIMD kernels of `@rarefy/lm` for training on the wasm backend of TensorFlow.js, compiled from AssemblyScript. They compute on the
 * memory of that backend, in place, and own none of it. `assembly/` says what each of them computes.
 */
export { type Kernels, loadKernels } from './load-kernels.js';
