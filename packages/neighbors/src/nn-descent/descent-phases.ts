import type { RunPhase, WorkerStart } from '../kernels/serve-phases.js';
import { control, type DescentMemory, mostHits } from './descent-memory.js';

/** What the kernel exports; see `assembly/nn-descent.ts`. */
export interface DescentKernel {
  setRows(rows: number, rowBytes: number, facts: number, scratch: number): void;
  setGraph(graph: number, width: number, locks: number, seedLow: number, seedHigh: number): void;
  setLists(fresh: number, freshCounts: number, old: number, oldCounts: number, most: number): void;
  scan(source: number, stride: number, count: number, hashes: number, squares: number): number;
  quantise(source: number, mean: number, cols: number, factor: number, position: number, half: number): void;
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

/** One pass, cut into tasks that may run in any order and on any worker: none depends on another of its phase. */
export interface DescentPhase {
  readonly name: 'clear' | 'firstTree' | 'permute' | 'leaves' | 'trees' | 'fresh' | 'old' | 'age' | 'join' | 'check';
  readonly tasks: number;
  /** Items of all tasks, and of one: rows, or leaves. */
  readonly items: number;
  readonly taskItems: number;
  /** Round of sampling, size of a leaf, or number of queries. */
  readonly value: number;
}

/** First message to a worker. */
export interface DescentStart extends WorkerStart {
  readonly place: DescentMemory;
  readonly worker: number;
  readonly seed: number;
}

/** Binds a kernel to the memory. */
export function bindDescent(
  exports: WebAssembly.Exports,
  { memory, wordsAt, place, worker, seed }: DescentStart,
): RunPhase<DescentPhase> {
  const kernel = exports as unknown as DescentKernel;
  kernel.setRows(place.rowsAt, place.rowBytes, place.facts, place.scratch + worker * place.scratchBytes);
  kernel.setGraph(place.graph, place.width, place.locks, seed | 0, Math.floor(seed / 2 ** 32) | 0);
  kernel.setLists(place.fresh, place.freshCounts, place.old, place.oldCounts, place.candidates);
  const words = new Int32Array(memory.buffer, wordsAt, 16);
  return (phase) => (task) => runTask(kernel, place, words, phase, task);
}

/** Where tree `number`, 1 or more, keeps its order; its spare half follows. */
const treeAt = ({ forest, rows }: DescentMemory, number: number): number => forest + 8 * rows * (number - 1);

/** Runs one task; what it counts goes into the words of control. */
function runTask(
  kernel: DescentKernel,
  place: DescentMemory,
  words: Int32Array,
  { name, items, taskItems, value }: DescentPhase,
  task: number,
): void {
  const from = task * taskItems;
  const to = Math.min(from + taskItems, items);
  const { rows } = place;
  switch (name) {
    case 'clear':
      kernel.clear(from, to);
      break;
    case 'firstTree':
      fillOrder(place, place.order);
      Atomics.store(words, control.fresh, kernel.tree(place.order, rows, value, 0, place.forest, place.freshCounts));
      break;
    case 'permute':
      kernel.permute(place.order, rows);
      break;
    case 'leaves':
      kernel.joinLeaves(place.forest, from, to);
      break;
    case 'trees': {
      const order = treeAt(place, task + 1);
      fillOrder(place, order);
      kernel.tree(order, rows, value, task + 1, order + 4 * rows, 0);
      break;
    }
    case 'fresh':
      Atomics.add(words, control.fresh, kernel.sampleFresh(from, to, value));
      break;
    case 'old':
      kernel.sampleOld(from, to, value);
      break;
    case 'age':
      kernel.age(from, to);
      break;
    case 'join':
      kernel.join(from, to);
      break;
    case 'check': {
      const { queries, limits, hits } = place;
      kernel.check(from, to, queries, limits, value, place.control + 4 * control.hits, hits, mostHits);
    }
  }
}

function fillOrder({ memory, rows }: DescentMemory, address: number): void {
  const order = new Int32Array(memory.buffer, address, rows);
  for (let row = 0; row < rows; row++) order[row] = row;
}
