import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryDelay } from './retry-delay.js';

test('the delay is what Retry-After says, or a random share of a delay that doubles', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(retryDelay(1, '7', 0.5, now)).toBe(7_000);
  expect(retryDelay(9, ' 0 ', 0.5, now)).toBe(0);
  expect(retryDelay(1, 'Thu, 01 Jan 2026 00:00:30 GMT', 0.5, now)).toBe(30_000);
  expect(retryDelay(1, 'Wed, 31 Dec 2025 00:00:30 GMT', 0.5, now)).toBe(0);
  for (const unclear of [null, '', 'soon', '-3', '1.5']) expect(retryDelay(3, unclear, 0.5, now)).toBe(500);
  const cases = fc.property(
    fc.integer({ min: 1, max: 100 }),
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    (n, u) => {
      expect(retryDelay(n, null, u, now)).toBeCloseTo(u * Math.min(20_000, 250 * 2 ** (n - 1)), 6);
    },
  );
  fc.assert(cases, { numRuns: 200, seed: 1 });
});
