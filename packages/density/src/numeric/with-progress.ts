import { type CallOptions, timeSlices } from '@rarefy/core';

/** Reports how far a loop is and lets other work through, when that is due. */
export type Tick = (done: number) => Promise<void>;

/**
 * Runs a long loop, which calls `tick` often, every millisecond or so.
 * @param task what the events call it
 * @param total items that the loop will have done; undefined where nobody knows
 * @throws the signal's reason when it is aborted
 */
export async function withProgress<Result>(
  task: string,
  total: number | undefined,
  { signal, onEvent }: CallOptions,
  loop: (tick: Tick) => Promise<Result>,
): Promise<Result> {
  const started = performance.now();
  const slices = timeSlices(signal);
  const known = total === undefined ? {} : { total };
  onEvent?.({ type: 'work-start', task, ...known });
  let last = 0;
  const result = await loop(async (done) => {
    last = done;
    if (!slices.due()) return;
    onEvent?.({ type: 'work-progress', task, done, ...known });
    await slices.pause();
  });
  onEvent?.({ type: 'work-end', task, done: total ?? last, elapsedMs: performance.now() - started });
  return result;
}
