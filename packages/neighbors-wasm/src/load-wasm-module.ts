import { decodeBase64 } from '@rarefy/core';
import { type WasmName, wasmModules } from './wasm-assets.js';

export const isNode = typeof process !== 'undefined' && typeof process.versions?.node === 'string';

const modules = new Map<WasmName, Promise<WebAssembly.Module>>();

/**
 * The compiled wasm module. All callers share it, and it can be posted to workers. It imports its memory, a shared one, as
 * `env.memory`.
 */
export function loadWasmModule(name: WasmName): Promise<WebAssembly.Module> {
  let module = modules.get(name);
  if (!module) {
    // Synchronous in Node: code after an asynchronous compilation can deadlock there. When nothing else keeps the event loop
    // alive, it runs inside a call that waits for all V8 threads, one of which may wait for this thread to collect garbage.
    module = wasmModules().then((texts) => {
      const bytes = Uint8Array.from(decodeBase64(texts[name]));
      return isNode ? new WebAssembly.Module(bytes) : WebAssembly.compile(bytes);
    });
    modules.set(name, module);
  }
  return module;
}
