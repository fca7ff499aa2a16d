import { beginPhase, type Phase, tasksOf, taskWords, type WorkerStart } from './phases.js';

// The script of a worker thread. The first message starts it; each later one is a phase, of which it takes tasks until none is
// left.

let exports: WebAssembly.Exports;
let started: WorkerStart;
let words: Int32Array;

function receive(message: WorkerStart | Phase, reply: () => void): void {
  if ('module' in message) {
    const { module, memory, wordsAt } = message;
    started = message;
    exports = new WebAssembly.Instance(module, { env: { memory } }).exports;
    words = new Int32Array(memory.buffer, wordsAt);
    return;
  }
  const tasks = tasksOf(message);
  const runTask = beginPhase(exports, started, message);
  for (let task: number; (task = Atomics.add(words, taskWords.next, 1)) < tasks; ) {
    runTask(task);
    Atomics.add(words, taskWords.done, 1);
  }
  reply();
}

if (typeof process !== 'undefined' && process.versions?.node) {
  const port = process.getBuiltinModule('node:worker_threads').parentPort!;
  port.on('message', (message) => receive(message, () => port.postMessage('done')));
} else {
  globalThis.onmessage = ({ data }) => receive(data, () => globalThis.postMessage('done'));
}
