import { type RunPhase, taskWords, type WorkerStart } from '../../kernels/serve-phases.js';
import { controlWords, poolWord } from './join-memory.js';

/** What the kernel exports; see `assembly/join.ts`. */
export interface JoinKernel {
  setup(parameters: number): void;
  setScratch(address: number): void;
  scanRows(first: number, last: number): number;
  measureRows(first: number, last: number): void;
  quantise(first: number, last: number): number;
  joinBlocks(first: number, second: number): void;
  rank(first: number, last: number): number;
}

/** One pass over rows or blocks, cut into tasks that may run in any order and on any worker. */
export interface Phase {
  readonly name: 'scan' | 'measure' | 'quantise' | 'join' | 'rank';
  readonly tasks: number;
  /** Rows [start, start + rows) of `scan` and `measure`. */
  readonly start: number;
  readonly rows: number;
  /** Rows a task of those, and positions a block. */
  readonly taskRows: number;
  /** Blocks of the first segment, and of both. */
  readonly split: number;
  readonly blocks: number;
}

/** First message to a worker. */
export interface JoinStart extends WorkerStart {
  readonly parametersAt: number;
  readonly scratchAt: number;
}

/** Words that workers share. */
export const control = { ...taskWords, bad: 2, residual: 3, scans: 4, pool: poolWord } as const;
/** A residual's share of its row is at most sqrt(columns) / 65534: kept as a whole number of these. */
export const residualUnit = 2 ** -30;
export const noBadRow = 0x7fffffff;

/** Makes a kernel ready for the phases of a join. */
export function bindJoin(
  exports: WebAssembly.Exports,
  { memory, wordsAt, parametersAt, scratchAt }: JoinStart,
): RunPhase<Phase> {
  const kernel = exports as unknown as JoinKernel;
  kernel.setScratch(scratchAt);
  const words = new Int32Array(memory.buffer, wordsAt);
  return (phase) => {
    kernel.setup(parametersAt);
    return (task) => runTask(kernel, words, phase, task);
  };
}

/** Runs one task, writing what it found into the words of control. */
function runTask(kernel: JoinKernel, words: Int32Array, phase: Phase, task: number): void {
  const first = task * phase.taskRows;
  if (phase.name === 'scan' || phase.name === 'measure') {
    const start = phase.start + first;
    const end = phase.start + Math.min(first + phase.taskRows, phase.rows);
    if (phase.name === 'measure') kernel.measureRows(start, end);
    else {
      const bad = kernel.scanRows(start, end);
      if (bad >= 0) change(words, control.bad, (earlier) => Math.min(earlier, bad));
    }
  } else if (phase.name === 'quantise') {
    const residual = Math.ceil(kernel.quantise(first, first + phase.taskRows) / residualUnit);
    change(words, control.residual, (earlier) => Math.max(earlier, residual));
  } else if (phase.name === 'rank') {
    Atomics.add(words, control.scans, kernel.rank(first, first + phase.taskRows));
  } else {
    const [i, j] = blockPair(phase, task);
    lock(words, i);
    if (j !== i) lock(words, j);
    kernel.joinBlocks(i, j);
    unlock(words, i);
    if (j !== i) unlock(words, j);
  }
}

/** How many pairs of blocks a join has. */
export function joinTasks(split: number, blocks: number): number {
  const other = blocks - split;
  return other > 0 ? split * other : (blocks * (blocks + 1)) / 2;
}

/** Each pair once; tasks that follow each other touch different blocks, so that locks hardly ever wait. */
function blockPair({ split, blocks }: Phase, task: number): [number, number] {
  const other = blocks - split;
  if (other > 0) {
    const narrow = Math.min(split, other);
    const a = task % narrow;
    const b = (a + Math.floor(task / narrow)) % Math.max(split, other);
    return split <= other ? [a, split + b] : [b, split + a];
  }
  // Blocks at a distance round the circle of blocks: 0, 1, … up to half of it.
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
