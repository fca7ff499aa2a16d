/** A worker thread of Node or of the browser. */
export interface WorkerHandle {
  post(message: unknown): void;
  terminate(): Promise<void>;
}

export interface WorkerEvents {
  onMessage(message: unknown): void;
  /** The worker failed or ended on its own. */
  onFailure(error: Error): void;
}

// Node's own modules are asked for without an import, so that bundlers for browsers find none to resolve.
export const isNode = typeof process !== 'undefined' && typeof process.versions?.node === 'string';

/** Whether threads can share memory here: not in a page that is not isolated from other origins. */
export const hasSharedWorkers = (): boolean =>
  isNode || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;

/** Threads that the machine runs at once. */
export function availableWorkers(): number {
  if (isNode) return process.getBuiltinModule('node:os').availableParallelism();
  return navigator.hardwareConcurrency ?? 1;
}

/** Starts a worker from its script as one text. */
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
