import { RarefyError } from '@rarefy/core';
import { timeSlices } from '../exact/time-slices.js';
import { workerScript } from './assets.js';
import type { WorkerName } from './kernel-names.js';
import { type RunPhase, type TaskPhase, taskWords, type WorkerStart } from './serve-phases.js';
import { startWorker, type WorkerHandle } from './start-worker.js';

/** Runs phases one after the other, each cut into tasks that may run in any order. */
export interface Crew<Phase extends TaskPhase> extends AsyncDisposable {
  /** Runs all tasks of a phase; `onTasks` hears how many are done, at the beginning and now and then. */
  run(phase: Phase, onTasks?: (done: number) => void): Promise<void>;
}

/** Runs the tasks on this thread, which breathes between them. */
export function inlineCrew<Phase extends TaskPhase>(
  runPhase: RunPhase<Phase>,
  signal: AbortSignal | undefined,
): Crew<Phase> {
  const slices = timeSlices(signal);
  return {
    async run(phase, onTasks) {
      signal?.throwIfAborted();
      onTasks?.(0);
      const runTask = runPhase(phase);
      for (let task = 0; task < phase.tasks; task++) {
        runTask(task);
        if (!slices.due()) continue;
        onTasks?.(task + 1);
        await slices.pause();
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Milliseconds between two looks at how far the workers are. */
const lookMs = 50;

/**
 * Runs the tasks on worker threads. An abort ends the threads at once, wherever they are.
 * @param startOf the first message to each worker
 * @throws RarefyError when a worker does not start, or fails
 */
export async function workerCrew<Phase extends TaskPhase>(
  name: WorkerName,
  count: number,
  startOf: (worker: number) => WorkerStart,
  signal: AbortSignal | undefined,
): Promise<Crew<Phase>> {
  const script = await workerScript(name);
  signal?.throwIfAborted();
  const { memory, wordsAt } = startOf(0);
  const words = new Int32Array(memory.buffer, wordsAt);
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
      end(new RarefyError(`a worker that looks for neighbours failed: ${cause.message}`, { cause }));
    },
  };
  const crew: Crew<Phase> = {
    async run({ ...phase }, onTasks) {
      if (failure) throw failure.error;
      Atomics.store(words, taskWords.next, 0);
      Atomics.store(words, taskWords.done, 0);
      missing = workers.length;
      const look = () => {
        try {
          onTasks!(Atomics.load(words, taskWords.done));
        } catch (error) {
          end(error); // of the caller's, which a timer would let out where nobody catches it
        }
      };
      const timer = onTasks && setInterval(look, lookMs);
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
