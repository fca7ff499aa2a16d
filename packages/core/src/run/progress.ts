import type { CallOptions } from '../spec/events.js';
import { timeSlices } from './time-slices.js';

/** Reports one piece of work: the start was reported when it was created. */
export interface Progress {
  /** Reports that `done` items are finished. */
  report(done: number): void;
  /** Reports the end. @param done default: the total, or else the last reported number */
  end(done?: number): void;
}

/**
 * Emits `work-start`, and returns what emits the other events of the same work. Work that fails has no `work-end`.
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

/** Called by a loop with the number of finished items; reports them and lets other work run when a time slice has passed. */
export type Tick = (done: number) => Promise<void>;

/**
 * Runs a long loop that calls `tick` often, about every millisecond, and emits its events.
 * @param task name of the work in its events
 * @param total number of items, or undefined if unknown
 * @throws the signal's reason when it is aborted.
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
