import { RarefyError, timeSlices } from '@rarefy/core';
import { loadWasmModule, type WasmName } from '@rarefy/neighbors-wasm';
import { beginPhase, type Phase, tasksOf, taskWords, type WorkerStart } from './phases.js';
import { startWorker, type WorkerHandle } from './threads.js';
import { workerScript } from './worker-assets.js';

/** Runs phases one after the other, on worker threads or on the calling thread. */
export interface Crew extends AsyncDisposable {
  /** An instance of the wasm module on the calling thread, for short work. */
  readonly exports: WebAssembly.Exports;
  /** Runs all tasks of a phase. `onTasks` receives the number of finished tasks, at the beginning and from time to time. */
  run(phase: Phase, onTasks?: (done: number) => void): Promise<void>;
}

export interface CrewOptions extends Omit<WorkerStart, 'module' | 'worker'> {
  readonly name: WasmName;
  /** Worker threads; with 0 the tasks run on the calling thread, with pauses. */
  readonly workers: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws RarefyError if a worker does not start; the crew's `run` throws it if a worker fails. */
export async function startCrew({ name, workers, signal, ...shared }: CrewOptions): Promise<Crew> {
  const module = await loadWasmModule(name);
  const { memory, wordsAt } = shared;
  const startOf = (worker: number): WorkerStart => ({ ...shared, module, worker });
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  (exports.setup as (parametersAt: number, worker: number) => void)(shared.parametersAt, 0);
  if (workers === 0) return { exports, ...inlineCrew(exports, startOf(0), signal) };
  const words = new Int32Array(memory.buffer, wordsAt);
  return { exports, ...(await workerCrew(await workerScript(), workers, startOf, words, signal)) };
}

function inlineCrew(exports: WebAssembly.Exports, start: WorkerStart, signal: AbortSignal | undefined) {
  const slices = timeSlices(signal);
  return {
    async run(phase: Phase, onTasks?: (done: number) => void) {
      signal?.throwIfAborted();
      onTasks?.(0);
      const runTask = beginPhase(exports, start, phase);
      const tasks = tasksOf(phase);
      for (let task = 0; task < tasks; task++) {
        runTask(task);
        if (!slices.due()) continue;
        onTasks?.(task + 1);
        await slices.pause();
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Milliseconds between two reports of progress. */
const reportMs = 50;

/** An abort ends the threads at once, wherever they are. */
async function workerCrew(
  script: string,
  count: number,
  startOf: (worker: number) => WorkerStart,
  words: Int32Array,
  signal: AbortSignal | undefined,
) {
  signal?.throwIfAborted();
  const workers: WorkerHandle[] = [];
  let missing = 0;
  let finish: (() => void) | undefined;
  let fail: ((error: unknown) => void) | undefined;
  let failure: { readonly error: unknown } | undefined;
  const end = (error: unknown) => {
    failure ??= { error };
    fail?.(failure.error);
    for (const worker of workers) void worker.terminate();
  };
  const onAbort = () => end(signal!.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const events = {
    onMessage() {
      if (--missing === 0) finish?.();
    },
    onFailure(cause: Error) {
      end(new RarefyError(`a worker thread failed while searching for neighbors: ${cause.message}`, { cause }));
    },
  };
  const crew = {
    async run(phase: Phase, onTasks?: (done: number) => void) {
      if (failure) throw failure.error;
      Atomics.store(words, taskWords.next, 0);
      Atomics.store(words, taskWords.done, 0);
      missing = workers.length;
      const report = () => {
        try {
          onTasks!(Atomics.load(words, taskWords.done));
        } catch (error) {
          end(error); // nothing would catch what a timer throws
        }
      };
      const timer = onTasks && setInterval(report, reportMs);
      try {
        await new Promise<void>((resolve, reject) => {
          finish = resolve;
          fail = reject;
          for (const worker of workers) worker.post(phase);
          onTasks?.(0);
        });
      } finally {
        clearInterval(timer);
        finish = undefined;
        fail = undefined;
      }
    },
    async [Symbol.asyncDispose]() {
      signal?.removeEventListener('abort', onAbort);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
  let index = 0;
  try {
    for (; index < count; index++) {
      const worker = startWorker(script, events);
      workers.push(worker);
      worker.post(startOf(index));
    }
  } catch (cause) {
    await crew[Symbol.asyncDispose]();
    throw new RarefyError(`worker ${index + 1} of ${count} did not start; set workers lower`, { cause });
  }
  return crew;
}
