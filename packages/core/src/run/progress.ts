import type { CallOptions } from '../spec/component.js';

const sliceMs = 20;

/** Reports the progress of one piece of work. */
export interface Progress {
  /** Emits `work-progress`. @param done number of items finished so far */
  report(done: number): void;
  /** Emits `work-end`. @param done number of items finished; default the total if it is known, else the last reported number */
  end(done?: number): void;
}

/**
 * Emits `work-start` and returns the methods that emit the other events of the same work. Do not call `end` if the work fails.
 * @param task name of the work in its events
 * @param total number of items, or undefined if unknown
 */
export function startProgress(task: string, total: number | undefined, onEvent: CallOptions['onEvent']): Progress {
  const started = performance.now();
  const known = total === undefined ? {} : { total };
  let last = 0;
  onEvent?.({ type: 'work-start', task, ...known });
  return {
    report(done) {
      last = done;
      onEvent?.({ type: 'work-progress', task, done, ...known });
    },
    end: (done = total ?? last) => onEvent?.({ type: 'work-end', task, done, elapsedMs: performance.now() - started }),
  };
}

/**
 * Emits a `work-warning`. Without `onEvent`, `console.warn` prints it, so that no warning is lost.
 * @param warning its `code` is stable, its `message` is for people
 */
export function warn(
  onEvent: CallOptions['onEvent'],
  { task, code, message }: { readonly task: string; readonly code: string; readonly message: string },
): void {
  if (onEvent) onEvent({ type: 'work-warning', task, code, message });
  else console.warn(`${task}: ${message}`);
}

/**
 * Keeps a long loop from blocking the event loop: call `due()` often, about every millisecond, and await `pause()` when it returns
 * true, which is every 20 ms.
 */
export interface TimeSlices {
  due(): boolean;
  /** Lets timers, input and aborts run. @throws the signal's reason if it is aborted. */
  pause(): Promise<void>;
}

/** Starts the first time slice. @throws the signal's reason if it is already aborted. */
export function timeSlices(signal: AbortSignal | undefined): TimeSlices {
  signal?.throwIfAborted();
  let end = performance.now() + sliceMs;
  return {
    due: () => performance.now() >= end,
    async pause() {
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      end = performance.now() + sliceMs;
    },
  };
}

/** Takes the number of finished items. At the end of each time slice it reports that number and lets other work run. */
export type Tick = (done: number) => Promise<void>;

/**
 * Runs a long loop, emits its events and keeps it from blocking. The loop awaits `tick` often, about every millisecond.
 * @param task name of the work in its events
 * @param total number of items, or undefined if unknown
 * @throws the signal's reason if it is aborted.
 */
export async function withProgress<Result>(
  task: string,
  total: number | undefined,
  { signal, onEvent }: CallOptions,
  loop: (tick: Tick) => Promise<Result>,
): Promise<Result> {
  const slices = timeSlices(signal);
  const progress = startProgress(task, total, onEvent);
  let last = 0;
  const result = await loop(async (done) => {
    last = done;
    if (!slices.due()) return;
    progress.report(done);
    await slices.pause();
  });
  progress.end(total ?? last);
  return result;
}
