import { bundleWorker } from './bundle-worker.js';
import { compileKernel } from './compile-kernel.js';
import type { KernelName, WorkerName } from './kernel-names.js';

// Compiles on first use when running from source. The build puts the finished bytes and texts in place of this module
// (tsup.config.ts), so a published package reads no file and needs no compiler, and both ways the names are the same.
export const kernelBytes: (name: KernelName) => Promise<Uint8Array<ArrayBuffer>> = compileKernel;
export const workerScript: (name: WorkerName) => Promise<string> = bundleWorker;
