import { kernelBytes } from './assets.js';
import type { KernelName } from './kernel-names.js';
import { isNode } from './start-worker.js';

const modules = new Map<KernelName, Promise<WebAssembly.Module>>();

/**
 * A compiled kernel of the folder `assembly`; all callers share it, and it can be posted to workers. It imports one shared memory:
 *
 *     const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
 *     const { exports } = await WebAssembly.instantiate(await loadKernel('dot'), { env: { memory } });
 *
 * A new kernel is a file there and a name in `kernel-names.ts`.
 */
export function loadKernel(name: KernelName): Promise<WebAssembly.Module> {
  let module = modules.get(name);
  if (!module) {
    // Not asynchronously in Node: what follows that runs, when nothing else keeps the loop alive, inside a call that waits for all threads
    // of V8, and one of them that waits for this thread to collect garbage then waits for ever.
    module = kernelBytes(name).then((bytes) => (isNode ? new WebAssembly.Module(bytes) : WebAssembly.compile(bytes)));
    modules.set(name, module);
  }
  return module;
}
