const sliceMs = 20;

/** Keeps a long loop from blocking: ask `due()` often and await `pause()` when it says so. */
export interface TimeSlices {
  due(): boolean;
  /** Lets timers, input and aborts through. @throws the signal's reason when it is aborted. */
  pause(): Promise<void>;
}

/** @throws the signal's reason when it is aborted already. */
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
