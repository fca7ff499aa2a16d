import { control, type DescentMemory } from './descent-memory.js';
import { bindKernel, type DescentKernel, type DescentPhase, runTask } from './descent-phases.js';

// The script of a worker: bundled into one text, which imports nothing but Node's own module.

/** First message. */
export interface DescentStart {
  readonly module: WebAssembly.Module;
  readonly place: DescentMemory;
  readonly worker: number;
  readonly seed: number;
}

let kernel: DescentKernel;
let place: DescentMemory;
let words: Int32Array;
let reply: () => void;

function receive(message: DescentStart | DescentPhase): void {
  if ('module' in message) {
    place = message.place;
    const { memory } = place;
    kernel = new WebAssembly.Instance(message.module, { env: { memory } }).exports as unknown as DescentKernel;
    bindKernel(kernel, place, message.worker, message.seed);
    words = new Int32Array(memory.buffer, place.control, 16);
    return;
  }
  for (let task: number; (task = Atomics.add(words, control.next, 1)) < message.tasks; ) {
    runTask(kernel, place, words, message, task);
    Atomics.add(words, control.done, 1);
  }
  reply();
}

async function connect(): Promise<void> {
  if (typeof process !== 'undefined' && process.versions?.node) {
    const port = (await import('node:worker_threads')).parentPort!;
    reply = () => port.postMessage('done');
    port.on('message', receive);
  } else {
    reply = () => globalThis.postMessage('done');
    globalThis.onmessage = ({ data }) => receive(data);
  }
}

void connect();
