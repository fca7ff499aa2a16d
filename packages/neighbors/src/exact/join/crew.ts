import { RarefyError } from '@rarefy/core';
import { workerScript } from '../../kernels/assets.js';
import { loadKernel } from '../../kernels/load-kernel.js';
import { startWorker, type WorkerHandle } from '../../kernels/start-worker.js';
import { timeSlices } from '../time-slices.js';
import type { JoinMemory } from './join-memory.js';
import { scratchBytes } from './join-memory.js';
import type { JoinStart } from './join-worker.js';
import { control, type JoinKernel, type Phase, runTask } from './phases.js';

/** Runs the phases of a join. */
export interface Crew extends AsyncDisposable {
  /** Runs all tasks of a phase; `onTasks` hears now and then how many are done. */
  run(phase: Phase, onTasks: (done: number) => void): Promise<void>;
}

/** Runs the tasks on this thread, which breathes between them. */
export async function inlineCrew(place: JoinMemory, signal: AbortSignal | undefined): Promise<Crew> {
  const { memory, scratchAt, parametersAt, controlAt } = place;
  const instance = await WebAssembly.instantiate(await loadKernel('join'), { env: { memory } });
  const kernel = instance.exports as unknown as JoinKernel;
  kernel.setScratch(scratchAt);
  const words = new Int32Array(memory.buffer, controlAt);
  return {
    async run(phase, onTasks) {
      const slices = timeSlices(signal);
      kernel.setup(parametersAt);
      for (let task = 0; task < phase.tasks; task++) {
        runTask(kernel, words, phase, task);
        if (slices.due()) {
          onTasks(task + 1);
          await slices.pause();
        }
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Milliseconds between two looks at how far the workers are. */
const lookMs = 50;

/**
 * Runs the tasks on worker threads. An abort ends the threads at once, wherever they are.
 * @throws RarefyError when a worker fails.
 */
export async function workerCrew(place: JoinMemory, count: number, signal: AbortSignal | undefined): Promise<Crew> {
  signal?.throwIfAborted();
  const { memory, scratchAt, parametersAt, controlAt } = place;
  const [module, script] = await Promise.all([loadKernel('join'), workerScript('join')]);
  const words = new Int32Array(memory.buffer, controlAt);
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
  const crew: Crew = {
    async run({ ...phase }, onTasks) {
      if (failure) throw failure.error;
      Atomics.store(words, control.next, 0);
      Atomics.store(words, control.done, 0);
      missing = workers.length;
      const timer = setInterval(() => onTasks(Atomics.load(words, control.done)), lookMs);
      try {
        await new Promise<void>((resolve, reject) => {
          finish = resolve;
          fail = reject;
          for (const worker of workers) worker.post(phase);
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
      const start: JoinStart = { module, memory, parametersAt, controlAt, scratchAt: scratchAt + scratchBytes * index };
      worker.post(start);
    }
  } catch (cause) {
    await crew[Symbol.asyncDispose]();
    throw new RarefyError(`worker ${index + 1} of ${count} did not start; set workers lower`, { cause });
  }
  return crew;
}
