import { kernelBytes } from './assets.js';
import type { KernelName } from './kernel-names.js';

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
    module = kernelBytes(name).then((bytes) => WebAssembly.compile(bytes));
    modules.set(name, module);
  }
  return module;
}
