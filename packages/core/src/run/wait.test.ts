import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { retryDelay, sleep } from './wait.js';

describe('sleep', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('ends after the delay and leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    let ended = false;
    const waiting = sleep(1000, signal).then(() => {
      ended = true;
    });
    await vi.advanceTimersByTimeAsync(999);
    expect([ended, getEventListeners(signal, 'abort').length]).toEqual([false, 1]);
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
    expect([ended, getEventListeners(signal, 'abort').length]).toEqual([true, 0]);
  });

  test('an aborted signal rejects at once, without a timer or a listener', async () => {
    const reason = new Error('stop');
    const signal = AbortSignal.abort(reason);
    await expect(sleep(1000, signal)).rejects.toBe(reason);
    expect([vi.getTimerCount(), getEventListeners(signal, 'abort').length]).toEqual([0, 0]);
  });

  test('an abort during the wait rejects with its reason and clears timer and listener', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const waiting = expect(sleep(1000, controller.signal)).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(500);
    controller.abort(reason);
    await waiting;
    expect([vi.getTimerCount(), getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
  });

  test('a delay beyond the limit of setTimeout waits for the limit', async () => {
    let ended = false;
    void sleep(1e12).then(() => {
      ended = true;
    });
    await vi.advanceTimersByTimeAsync(2 ** 31 - 2);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toBe(true);
  });
});

describe('retryDelay', () => {
  const now = Date.UTC(2026, 0, 1);

  test('a Retry-After header gives seconds or a date; a past date gives 0', () => {
    expect(retryDelay(1, '3', 0.5, now)).toBe(3000);
    expect(retryDelay(9, ' 0 ', 0.5, now)).toBe(0);
    expect(retryDelay(1, 'Thu, 01 Jan 2026 00:00:07 GMT', 0.5, now)).toBe(7000);
    expect(retryDelay(1, 'Wed, 31 Dec 2025 23:59:00 GMT', 0.5, now)).toBe(0);
  });

  test('without a valid header, the backoff limit doubles up to 20 s and random picks a share of it', () => {
    for (const header of [null, '', '-1', '1.5', 'soon']) {
      const delays = [1, 2, 3, 7, 8, 50].map((attempt) => retryDelay(attempt, header, 0.5, now));
      expect(delays, `${header}`).toEqual([125, 250, 500, 8000, 10_000, 10_000]);
    }
    const cases = fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, random) => {
        const limit = Math.min(20_000, 250 * 2 ** (attempt - 1));
        expect(retryDelay(attempt, null, random, now)).toBeCloseTo(random * limit, 6);
      },
    );
    fc.assert(cases, { numRuns: 200, seed: 1 });
  });
});
