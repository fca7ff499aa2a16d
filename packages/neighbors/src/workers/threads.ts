import { isNode, mostWorkers } from '@rarefy/neighbors-wasm';

// Node's own modules are loaded without an import statement, which bundlers for browsers would try to resolve.

/** A worker thread of Node or of the browser. */
export interface WorkerHandle {
  post(message: unknown): void;
  terminate(): Promise<void>;
}

export interface WorkerEvents {
  onMessage(message: unknown): void;
  /** The worker failed, or ended without being asked to. */
  onFailure(error: Error): void;
}

/**
 * Number of worker threads for a task; 0 means the calling thread. Threads can share memory in Node, and in pages that are isolated
 * from other origins.
 * @param requested the user's choice
 * @param isLarge whether starting workers is worth its time
 */
export function workerCount(requested: number | undefined, isLarge: boolean): number {
  if (!isNode && (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== true) return 0;
  return requested ?? (isLarge ? Math.min(mostWorkers, availableWorkers()) : 0);
}

/** Threads that the machine runs at the same time. */
export function availableWorkers(): number {
  if (isNode) return process.getBuiltinModule('node:os').availableParallelism();
  return navigator.hardwareConcurrency ?? 1;
}

/** Starts a worker from the text of its script. */
export function startWorker(script: string, events: WorkerEvents): WorkerHandle {
  return isNode ? nodeWorker(script, events) : webWorker(script, events);
}

function nodeWorker(script: string, { onMessage, onFailure }: WorkerEvents): WorkerHandle {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = new Worker(script, { eval: true, execArgv: [], name: 'rarefy' });
  let isWanted = true;
  worker.on('message', onMessage);
  worker.on('error', onFailure);
  worker.on('messageerror', onFailure);
  worker.on('exit', (code) => {
    if (isWanted) onFailure(new Error(`a worker thread ended with code ${code}`));
  });
  return {
    post: (message) => worker.postMessage(message),
    async terminate() {
      isWanted = false;
      await worker.terminate();
    },
  };
}

function webWorker(script: string, { onMessage, onFailure }: WorkerEvents): WorkerHandle {
  const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  const worker = new Worker(url);
  worker.onmessage = ({ data }) => onMessage(data);
  worker.onerror = ({ message }) => onFailure(new Error(message));
  return {
    post: (message) => worker.postMessage(message),
    async terminate() {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}
