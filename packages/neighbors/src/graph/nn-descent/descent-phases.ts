import { type Phase, type RunPhase, taskRange, taskWords, type WorkerStart } from '../../workers/phases.js';
import type { DescentMemory } from './descent-memory.js';

/** The functions that the wasm module exports; see `assembly/nn-descent.ts`. */
export interface DescentModule {
  setRows(rows: number, rowBytes: number, facts: number, scratch: number): void;
  setGraph(graph: number, width: number, locks: number, seedLow: number, seedHigh: number): void;
  setLists(fresh: number, freshCounts: number, old: number, oldCounts: number, most: number): void;
  quantize(source: number, mean: number, cols: number, factor: number, position: number, half: number): void;
  clear(from: number, to: number): void;
  tree(order: number, count: number, leaf: number, number: number, spare: number, starts: number): number;
  permute(order: number, count: number): void;
  joinLeaves(starts: number, from: number, to: number): void;
  sampleFresh(from: number, to: number, round: number): number;
  sampleOld(from: number, to: number, round: number): void;
  age(from: number, to: number): void;
  join(from: number, to: number): void;
  check(
    from: number,
    to: number,
    queries: number,
    limits: number,
    count: number,
    counter: number,
    hits: number,
    room: number,
  ): void;
}

/**
 * `firstTree` and `permute` are one task; `leaves` goes over leaves, `trees` over trees, the others over rows. The value is the round
 * of `fresh` and `old`, the size of a leaf for `firstTree` and `trees`, and the number of queries for `check`.
 */
export type DescentPhase =
  | 'clear'
  | 'firstTree'
  | 'permute'
  | 'leaves'
  | 'trees'
  | 'fresh'
  | 'old'
  | 'age'
  | 'join'
  | 'check';

export interface DescentDetails {
  readonly layout: DescentMemory;
  readonly seed: number;
  /** Most hits that `check` stores. */
  readonly mostHits: number;
}

/** The words that workers share. */
export const control = { ...taskWords, fresh: 2, hits: 3 } as const;

/** Prepares an instance of the wasm module for the phases of a descent. */
export function bindDescent(
  exports: WebAssembly.Exports,
  { memory, wordsAt, worker, details }: WorkerStart<DescentDetails>,
): RunPhase<DescentPhase> {
  const module = exports as unknown as DescentModule;
  const { layout, seed } = details;
  module.setRows(layout.rowsAt, layout.rowBytes, layout.facts, layout.scratch + worker * layout.scratchBytes);
  module.setGraph(layout.graph, layout.width, layout.locks, seed | 0, Math.floor(seed / 2 ** 32) | 0);
  module.setLists(layout.fresh, layout.freshCounts, layout.old, layout.oldCounts, layout.candidates);
  const words = new Int32Array(memory.buffer, wordsAt, 16);
  return (phase) => (task) => runTask(module, details, words, phase, task);
}

/** Runs one task, and adds what it counts to the shared words. */
function runTask(
  module: DescentModule,
  { layout, mostHits }: DescentDetails,
  words: Int32Array,
  phase: Phase<DescentPhase>,
  task: number,
): void {
  const [from, to] = taskRange(phase, task);
  const { rows, order, forest } = layout;
  const { value } = phase;
  switch (phase.name) {
    case 'clear':
      module.clear(from, to);
      break;
    case 'firstTree':
      fillOrder(layout, order);
      Atomics.store(words, control.fresh, module.tree(order, rows, value, 0, forest, layout.freshCounts));
      break;
    case 'permute':
      module.permute(order, rows);
      break;
    case 'leaves':
      module.joinLeaves(forest, from, to);
      break;
    case 'trees': {
      const own = forest + 8 * rows * task; // its order, then its spare room
      fillOrder(layout, own);
      module.tree(own, rows, value, task + 1, own + 4 * rows, 0);
      break;
    }
    case 'fresh':
      Atomics.add(words, control.fresh, module.sampleFresh(from, to, value));
      break;
    case 'old':
      module.sampleOld(from, to, value);
      break;
    case 'age':
      module.age(from, to);
      break;
    case 'join':
      module.join(from, to);
      break;
    case 'check': {
      const { queries, limits, hits } = layout;
      module.check(from, to, queries, limits, value, layout.words + 4 * control.hits, hits, mostHits);
    }
  }
}

function fillOrder({ memory, rows }: DescentMemory, address: number): void {
  const order = new Int32Array(memory.buffer, address, rows);
  for (let row = 0; row < rows; row++) order[row] = row;
}
