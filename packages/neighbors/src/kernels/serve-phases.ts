// What the scripts of workers share; it imports nothing.

/** A pass that is cut into tasks. */
export interface TaskPhase {
  readonly tasks: number;
}

/** Prepares a phase; what it gives runs one task of it. */
export type RunPhase<Phase extends TaskPhase> = (phase: Phase) => (task: number) => void;

/** First message to a worker. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the words that workers share, those of {@link taskWords} first. */
  readonly wordsAt: number;
}

/** Number of the next task, and of tasks done. */
export const taskWords = { next: 0, done: 1 } as const;

/** A worker's life: after the first message each one is a phase, whose tasks it takes as long as there are any. */
export function servePhases<Start extends WorkerStart, Phase extends TaskPhase>(
  bind: (kernel: WebAssembly.Exports, start: Start) => RunPhase<Phase>,
): void {
  let runPhase: RunPhase<Phase>;
  let words: Int32Array;
  let reply: () => void;
  const isStart = (message: Start | Phase): message is Start => 'module' in message;
  const receive = (message: Start | Phase) => {
    if (isStart(message)) {
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
