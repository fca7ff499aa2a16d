import { type CallOptions, timeSlices } from '@rarefy/core';

/** Reports how far a loop is and lets other work through, when that is due. */
export type Tick = (done: number) => Promise<void>;

/**
 * Runs a long loop, which calls `tick` often, every millisecond or so.
 * @param task what the events call it
 * @param total items that the loop will have done
 * @throws the signal's reason when it is aborted
 */
export async function withProgress<Result>(
  task: string,
  total: number,
  { signal, onEvent }: CallOptions,
  loop: (tick: Tick) => Promise<Result>,
): Promise<Result> {
  const started = performance.now();
  const slices = timeSlices(signal);
  onEvent?.({ type: 'work-start', task, total });
  const result = await loop(async (done) => {
    if (!slices.due()) return;
    onEvent?.({ type: 'work-progress', task, done, total });
    await slices.pause();
  });
  onEvent?.({ type: 'work-end', task, done: total, elapsedMs: performance.now() - started });
  return result;
}
