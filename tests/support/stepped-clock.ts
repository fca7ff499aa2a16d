import { vi } from 'vitest';

/**
 * Until vi.restoreAllMocks, every look at the clock finds it so many milliseconds later: long work pauses as often on a fast machine as
 * on a slow one.
 */
export function steppedClock(milliseconds: number): void {
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => (now += milliseconds));
}
