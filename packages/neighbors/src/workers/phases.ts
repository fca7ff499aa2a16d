// Shared by the calling thread and the scripts of workers. It imports nothing, so that a worker's script stays small.

/** One pass over items, cut into tasks that run in any order, each on any worker. */
export interface Phase<Name extends string = string> {
  readonly name: Name;
  readonly tasks: number;
  /** The first item. */
  readonly start: number;
  readonly items: number;
  /** Items per task. */
  readonly taskItems: number;
  /** An argument of the phase; each phase gives it its own meaning. */
  readonly value: number;
}

/** A phase over items [start, start + items), `taskItems` per task. */
export function phaseOf<Name extends string>(
  name: Name,
  { items, taskItems, start = 0, value = 0 }: Partial<Phase> & Pick<Phase, 'items' | 'taskItems'>,
): Phase<Name> {
  return { name, tasks: Math.ceil(items / taskItems), start, items, taskItems, value };
}

/** The items of one task: [first, end). */
export function taskRange({ start, items, taskItems }: Phase, task: number): [first: number, end: number] {
  const first = start + task * taskItems;
  return [first, Math.min(first + taskItems, start + items)];
}

/** First message to a worker. `Details` is what its wasm module needs to know besides. */
export interface WorkerStart<Details> {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the words that workers share; those of {@link taskWords} come first. */
  readonly wordsAt: number;
  readonly details: Details;
  /** Number of the worker, from 0. */
  readonly worker: number;
}

/** Prepares a phase, and returns a function that runs one of its tasks. */
export type RunPhase<Name extends string = string> = (phase: Phase<Name>) => (task: number) => void;

/** Prepares an instance of a wasm module for phases. */
export type BindPhases<Details, Name extends string> = (
  exports: WebAssembly.Exports,
  start: WorkerStart<Details>,
) => RunPhase<Name>;

/** Shared words: number of the next task, and number of finished tasks. */
export const taskWords = { next: 0, done: 1 } as const;

/** The life of a worker: the first message starts it; each later one is a phase, of which it takes tasks until none is left. */
export function servePhases<Details, Name extends string>(bind: BindPhases<Details, Name>): void {
  type Message = WorkerStart<Details> | Phase<Name>;
  let runPhase: RunPhase<Name>;
  let words: Int32Array;
  let reply: () => void;
  const receive = (message: Message) => {
    if ('module' in message) {
      const { module, memory, wordsAt } = message;
      runPhase = bind(new WebAssembly.Instance(module, { env: { memory } }).exports, message);
      words = new Int32Array(memory.buffer, wordsAt);
      return;
    }
    const runTask = runPhase(message);
    for (let task: number; (task = Atomics.add(words, taskWords.next, 1)) < message.tasks; ) {
      runTask(task);
      Atomics.add(words, taskWords.done, 1);
    }
    reply();
  };
  if (typeof process !== 'undefined' && process.versions?.node) {
    const port = process.getBuiltinModule('node:worker_threads').parentPort!;
    reply = () => port.postMessage('done');
    port.on('message', receive);
  } else {
    reply = () => globalThis.postMessage('done');
    globalThis.onmessage = ({ data }) => receive(data);
  }
}
