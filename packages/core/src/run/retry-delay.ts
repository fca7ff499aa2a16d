/** First and longest delay of the exponential backoff, in ms. */
const shortest = 250;
const longest = 20_000;

/**
 * Milliseconds to wait before the next attempt: the `Retry-After` header if it is valid, otherwise exponential backoff with full
 * jitter, a uniform share of a delay that doubles.
 * Sources: RFC 9110, section 10.2.3; Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015.
 * @param attempt attempts so far, ≥ 1
 * @param retryAfter the header: seconds as an integer, or an HTTP date; anything else is ignored
 * @param random in [0, 1)
 * @param now ms since 1970
 */
export function retryDelay(attempt: number, retryAfter: string | null, random: number, now: number): number {
  const text = retryAfter?.trim() ?? '';
  if (/^\d+$/.test(text)) return 1000 * Number(text);
  const date = /[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return Math.max(0, date - now);
  return random * Math.min(longest, shortest * 2 ** (attempt - 1));
}
