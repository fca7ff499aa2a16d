import { RarefyError } from '@rarefy/core';
import { type Kernels, loadKernels } from './load-kernels.js';
import type { WasmBackend } from './wasm-heap.js';

/** SIMD kernels on the heap of the wasm backend of tfjs. */
export interface SimdKernels extends Kernels {
  /** `bytes` of the heap for the time of the call. */
  scratch<Result>(bytes: number, use: (address: number) => Result): Result;
}

let putOn: ((memory: WebAssembly.Memory) => Kernels) | undefined;
const found = new WeakMap<WasmBackend, SimdKernels>();

/** Compiles the kernels. Call it before {@link simdKernels}. */
export async function loadSimdKernels(): Promise<void> {
  putOn ??= await loadKernels();
}

/** The kernels on the heap of a backend; undefined if they are not loaded, there is no SIMD, or the heap is not accessible. */
export function simdKernels(wasm: WasmBackend): SimdKernels | undefined {
  const known = found.get(wasm);
  if (known || !putOn) return known;
  const memory = wasm.wasm.asm?.memory ?? wasm.wasm.wasmMemory;
  if (!(memory instanceof WebAssembly.Memory)) return undefined;
  const kernels: SimdKernels = {
    ...putOn(memory),
    scratch(bytes, use) {
      const address = wasm.wasm._malloc(bytes) >>> 0; // signed from 2 GiB on
      if (address === 0) throw new RarefyError(`the wasm backend has no ${bytes} bytes of memory left`);
      try {
        return use(address);
      } finally {
        wasm.wasm._free(address);
      }
    },
  };
  found.set(wasm, kernels);
  return kernels;
}
