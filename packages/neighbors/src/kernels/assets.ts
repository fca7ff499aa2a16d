import { compileKernel } from './compile-kernel.js';

// Compiles on first use when running from source. The build puts the finished bytes in place of this module (tsup.config.ts), so a
// published package reads no file and needs no compiler, and both ways the loader imports the same names.
export const kernelBytes: (name: string) => Promise<Uint8Array<ArrayBuffer>> = compileKernel;
