// Shared by the calling thread and the worker script. It imports nothing, so that the script stays small.

/** One pass over items, cut into tasks that run in any order, each on any worker. */
export interface Phase {
  /** The function of the wasm module that does it: `(first, end, value)` for items [first, end). */
  readonly name: string;
  /** The first item. */
  readonly start: number;
  readonly items: number;
  /** Items per task. */
  readonly taskItems: number;
  /** An argument for the function. */
  readonly value: number;
}

/** A phase over items [start, start + items), `taskItems` per task. */
export function phaseOf(
  name: string,
  { items, taskItems, start = 0, value = 0 }: Partial<Phase> & Pick<Phase, 'items' | 'taskItems'>,
): Phase {
  return { name, start, items, taskItems, value };
}

export const tasksOf = ({ items, taskItems }: Phase): number => Math.ceil(items / taskItems);

/** First message to a worker. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the parameters of the module, which it reads before each phase. */
  readonly parametersAt: number;
  /** Address of the words that workers share; those of {@link taskWords} come first. */
  readonly wordsAt: number;
  /** Number of the worker, from 0. */
  readonly worker: number;
}

/** Shared words: number of the next task, and number of finished tasks. */
export const taskWords = { next: 0, done: 1 } as const;

/** Reads the parameters and returns a function that runs one task of the phase. */
export function beginPhase(
  exports: WebAssembly.Exports,
  { parametersAt, worker }: WorkerStart,
  { name, start, items, taskItems, value }: Phase,
): (task: number) => void {
  const functions = exports as Readonly<Record<string, (...args: readonly number[]) => void>>;
  functions.setup!(parametersAt, worker);
  const run = functions[name]!;
  return (task) => {
    const first = start + task * taskItems;
    run(first, Math.min(first + taskItems, start + items), value);
  };
}
