/** Longest delay of setTimeout in ms; a longer one would fire at once. */
const longest = 2 ** 31 - 1;

/** Waits `milliseconds`, at most 24.8 days. @throws the signal's reason when it is aborted before or during the wait. */
export function sleep(milliseconds: number, signal?: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      },
      Math.min(milliseconds, longest),
    );
    signal?.addEventListener('abort', stop, { once: true });
  });
}
