import { control, type JoinKernel, type Phase, runTask } from './phases.js';

// The script of a worker: bundled into one text, which imports nothing.

/** First message. */
export interface JoinStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly parametersAt: number;
  readonly controlAt: number;
  readonly scratchAt: number;
}

let kernel: JoinKernel;
let words: Int32Array;
let parameters = 0;

function receive(message: JoinStart | Phase): void {
  if ('module' in message) {
    const { module, memory } = message;
    kernel = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as JoinKernel;
    kernel.setScratch(message.scratchAt);
    words = new Int32Array(memory.buffer, message.controlAt);
    parameters = message.parametersAt;
    return;
  }
  kernel.setup(parameters);
  for (let task: number; (task = Atomics.add(words, control.next, 1)) < message.tasks; ) {
    runTask(kernel, words, message, task);
    Atomics.add(words, control.done, 1);
  }
  reply();
}

let reply: () => void;
if (typeof process !== 'undefined' && process.versions?.node) {
  const port = process.getBuiltinModule('node:worker_threads').parentPort!;
  reply = () => port.postMessage('done');
  port.on('message', receive);
} else {
  reply = () => globalThis.postMessage('done');
  globalThis.onmessage = ({ data }) => receive(data);
}
