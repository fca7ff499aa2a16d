/** Longest delay of setTimeout in ms. A longer one would fire at once. */
const longestTimeout = 2 ** 31 - 1;

/** First and longest delay of the exponential backoff, in ms. */
const firstDelay = 250;
const longestDelay = 20_000;

/**
 * Waits `milliseconds`, at most 24.8 days.
 * @throws the signal's reason if it is aborted before or during the wait.
 */
export function sleep(milliseconds: number, signal?: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const finish = () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    };
    const timer = setTimeout(finish, Math.min(milliseconds, longestTimeout));
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/**
 * Milliseconds to wait before the next attempt: what a valid `Retry-After` header asks for, otherwise exponential backoff with full
 * jitter. The backoff limit doubles with each attempt, from 250 ms up to 20 s, and `random` picks a share of it.
 * Sources: RFC 9110, section 10.2.3; Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015.
 * @param attempt number of attempts made so far, ≥ 1
 * @param retryAfter the header's value: an integer number of seconds, or an HTTP date; anything else is ignored
 * @param random a number in [0, 1)
 * @param now current time in ms since 1970
 */
export function retryDelay(attempt: number, retryAfter: string | null, random: number, now: number): number {
  const text = retryAfter?.trim() ?? '';
  if (/^\d+$/.test(text)) return 1000 * Number(text);
  const date = /[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN; // Date.parse reads "-1" as a year
  if (!Number.isNaN(date)) return Math.max(0, date - now);
  return random * Math.min(longestDelay, firstDelay * 2 ** (attempt - 1));
}
