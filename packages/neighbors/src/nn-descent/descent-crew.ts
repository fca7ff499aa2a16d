import { RarefyError } from '@rarefy/core';
import { timeSlices } from '../exact/time-slices.js';
import { workerScript } from '../kernels/assets.js';
import { loadKernel } from '../kernels/load-kernel.js';
import { startWorker, type WorkerHandle } from '../kernels/start-worker.js';
import { control, type DescentMemory } from './descent-memory.js';
import { bindKernel, type DescentKernel, type DescentPhase, runTask } from './descent-phases.js';
import type { DescentStart } from './descent-worker.js';

/** Runs the phases of a descent. */
export interface DescentCrew extends AsyncDisposable {
  /** A kernel of the calling thread, for what is short. */
  readonly kernel: DescentKernel;
  run(phase: DescentPhase): Promise<void>;
}

/** @param count workers; with 0 the tasks run on this thread, which breathes between them */
export async function descentCrew(
  place: DescentMemory,
  count: number,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<DescentCrew> {
  signal?.throwIfAborted();
  const { memory } = place;
  const module = await loadKernel('nn-descent');
  const kernel = (await WebAssembly.instantiate(module, { env: { memory } })).exports as unknown as DescentKernel;
  bindKernel(kernel, place, 0, seed);
  const words = new Int32Array(memory.buffer, place.control, 16);
  if (count === 0) {
    const slices = timeSlices(signal);
    return {
      kernel,
      async run(phase) {
        for (let task = 0; task < phase.tasks; task++) {
          runTask(kernel, place, words, phase, task);
          if (slices.due()) await slices.pause();
        }
      },
      async [Symbol.asyncDispose]() {},
    };
  }

  const script = await workerScript('nn-descent');
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
  const crew: DescentCrew = {
    kernel,
    async run(phase) {
      if (failure) throw failure.error;
      Atomics.store(words, control.next, 0);
      Atomics.store(words, control.done, 0);
      missing = workers.length;
      await new Promise<void>((resolve, reject) => {
        finish = resolve;
        fail = reject;
        for (const worker of workers) worker.post(phase);
      });
    },
    async [Symbol.asyncDispose]() {
      signal?.removeEventListener('abort', onAbort);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
  try {
    for (let index = 0; index < count; index++) {
      const worker = await startWorker(script, events);
      workers.push(worker);
      const start: DescentStart = { module, place, worker: index, seed };
      worker.post(start);
    }
  } catch (cause) {
    await crew[Symbol.asyncDispose]();
    throw new RarefyError(`worker ${workers.length + 1} of ${count} did not start; set workers lower`, { cause });
  }
  return crew;
}
