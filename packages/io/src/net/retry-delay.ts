/** First and longest wait of the exponential backoff, in ms. */
const shortest = 250;
const longest = 20_000;

/**
 * Milliseconds until the next try: what the service's `Retry-After` says, or else full jitter, a uniform share of a wait that doubles.
 * Source: RFC 9110, section 10.2.3; Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015.
 * @param attempt tries so far, ≥ 1
 * @param retryAfter the header: whole seconds or an HTTP date; anything else counts as absent
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
