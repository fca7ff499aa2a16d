import { RarefyError } from '@rarefy/core';

/** Most workers that share one memory: each has scratch memory of its own. */
export const mostWorkers = 256;

const pageBytes = 65536;
/** Bytes that a wasm memory can have, less one page. */
export const mostMemoryBytes = 2 ** 32 - pageBytes;

/**
 * Addresses of arrays that follow each other in a memory, in the order of their names.
 * @param start address of the first one; the first page belongs to the compiler
 */
export function layOut<Name extends string>(sizes: Readonly<Record<Name, number>>, start = pageBytes) {
  let end = start;
  const addresses = {} as Record<Name, number>;
  for (const name of Object.keys(sizes) as Name[]) {
    addresses[name] = end;
    end += Math.ceil(sizes[name] / 64) * 64;
  }
  return { addresses, end };
}

/** @throws RarefyError if the memory cannot be allocated. @param remedy what the user can do about it, for the message */
export function sharedMemory(bytes: number, remedy: string): WebAssembly.Memory {
  const pages = Math.ceil(bytes / pageBytes);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    const size = Math.ceil(bytes / 2 ** 20);
    throw new RarefyError(`${size} MiB of shared memory for neighbors are not available; ${remedy}`, { cause });
  }
}

const value = new Float32Array(1);
const bits = new Uint32Array(value.buffer);

/** The float32 whose bits the wasm modules put into an order that unsigned integers compare; see `assembly/keys.ts`. */
export function fromOrderedBits(ordered: number): number {
  bits[0] = ordered >>> 31 ? ordered & 0x7fffffff : ~ordered;
  return value[0]!;
}
