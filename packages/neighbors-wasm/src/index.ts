/**
 * The compute modules of `@rarefy/neighbors`, compiled from AssemblyScript, for Node and browsers.
 *
 * This package also defines the layouts of the memory that a module shares with TypeScript: {@link joinMemory} writes what
 * `assembly/layout.ts` reads, and {@link descentMemory} what `assembly/nn-descent.ts` reads.
 */
export {
  type DescentMemory,
  descentMemory,
  descentWords,
  mostHits,
  mostQueries,
  roundingOf,
} from './descent-memory.js';
export {
  type JoinMemory,
  type JoinParameters,
  type JoinShape,
  joinBytes,
  joinMemory,
  joinWords,
  residualUnit,
} from './join-memory.js';
export { isNode, loadWasmModule } from './load-wasm-module.js';
export { fromOrderedBits, layOut, mostMemoryBytes, mostWorkers, sharedMemory } from './shared-memory.js';
export type { WasmName } from './wasm-assets.js';
