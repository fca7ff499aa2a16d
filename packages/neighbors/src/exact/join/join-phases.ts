import { type Phase, type RunPhase, taskRange, taskWords, type WorkerStart } from '../../workers/phases.js';

/** The functions that the wasm module exports; see `assembly/join.ts`. */
interface JoinModule {
  setup(parameters: number): void;
  setScratch(address: number): void;
  scanRows(first: number, last: number): number;
  measureRows(first: number, last: number): void;
  quantize(first: number, last: number): number;
  joinBlocks(first: number, second: number): void;
  rank(first: number, last: number): number;
}

/**
 * `scan` and `measure` go over rows; `quantize` and `rank` over positions, a block per task; `join` over pairs of blocks: its items
 * are the blocks of both segments, and its value is the number of blocks of the first segment.
 */
export type JoinPhase = 'scan' | 'measure' | 'quantize' | 'join' | 'rank';

export interface JoinDetails {
  readonly parametersAt: number;
  /** Addresses of the scratch memory of worker 0, and bytes per worker. */
  readonly scratchAt: number;
  readonly scratchBytes: number;
}

/** Shared words before the locks of the blocks. */
export const controlWords = 16;
/** The shared word that counts the rows which took a larger place for their candidates. */
export const poolWord = 5;
/** The shared words. */
export const control = { ...taskWords, bad: 2, residual: 3, scans: 4, pool: poolWord } as const;
/** Residuals are shared as whole multiples of this. A residual's share of its row is at most sqrt(columns) / 65534. */
export const residualUnit = 2 ** -30;
export const noBadRow = 0x7fffffff;

/** Prepares an instance of the wasm module for the phases of a join. */
export function bindJoin(
  exports: WebAssembly.Exports,
  { memory, wordsAt, worker, details }: WorkerStart<JoinDetails>,
): RunPhase<JoinPhase> {
  const module = exports as unknown as JoinModule;
  const words = new Int32Array(memory.buffer, wordsAt);
  module.setScratch(details.scratchAt + details.scratchBytes * worker);
  return (phase) => {
    module.setup(details.parametersAt);
    return (task) => runTask(module, words, phase, task);
  };
}

/** Runs one task, and writes its findings to the shared words. */
function runTask(module: JoinModule, words: Int32Array, phase: Phase<JoinPhase>, task: number): void {
  const [first, end] = taskRange(phase, task);
  switch (phase.name) {
    case 'scan': {
      const bad = module.scanRows(first, end);
      if (bad >= 0) change(words, control.bad, (earlier) => Math.min(earlier, bad));
      break;
    }
    case 'measure':
      module.measureRows(first, end);
      break;
    case 'quantize': {
      const residual = Math.ceil(module.quantize(first, end) / residualUnit);
      change(words, control.residual, (earlier) => Math.max(earlier, residual));
      break;
    }
    case 'rank':
      Atomics.add(words, control.scans, module.rank(first, end));
      break;
    case 'join': {
      const [i, j] = blockPair(phase, task);
      lock(words, i);
      if (j !== i) lock(words, j);
      module.joinBlocks(i, j);
      unlock(words, i);
      if (j !== i) unlock(words, j);
    }
  }
}

/** The phase that joins blocks [0, split) with blocks [split, blocks), or all blocks with each other if `split` is `blocks`. */
export function joinPhase(split: number, blocks: number): Phase<JoinPhase> {
  const other = blocks - split;
  const tasks = other > 0 ? split * other : (blocks * (blocks + 1)) / 2;
  return { name: 'join', tasks, start: 0, items: blocks, taskItems: 1, value: split };
}

/** The pair of blocks of a task: each pair once. Consecutive tasks touch different blocks, so that locks hardly ever wait. */
function blockPair({ value: split, items: blocks }: Phase, task: number): [number, number] {
  const other = blocks - split;
  if (other > 0) {
    const narrow = Math.min(split, other);
    const a = task % narrow;
    const b = (a + Math.floor(task / narrow)) % Math.max(split, other);
    return split <= other ? [a, split + b] : [b, split + a];
  }
  // With the blocks in a circle, the pairs at distance 0, 1, … up to half of the circle.
  const a = task % blocks;
  const b = (a + Math.floor(task / blocks)) % blocks;
  return a <= b ? [a, b] : [b, a];
}

function change(words: Int32Array, index: number, next: (earlier: number) => number): void {
  for (;;) {
    const earlier = Atomics.load(words, index);
    if (Atomics.compareExchange(words, index, earlier, next(earlier)) === earlier) return;
  }
}

/** Blocks are locked in ascending order, so that no two workers wait for each other. */
function lock(words: Int32Array, block: number): void {
  const index = controlWords + block;
  while (Atomics.compareExchange(words, index, 0, 1) !== 0) Atomics.wait(words, index, 1);
}

function unlock(words: Int32Array, block: number): void {
  const index = controlWords + block;
  Atomics.store(words, index, 0);
  Atomics.notify(words, index, 1);
}
