import { vi } from 'vitest';

/**
 * Until vi.restoreAllMocks, every call that reads the clock advances it by a fixed number of milliseconds, so that long work pauses
 * equally often on fast and slow machines.
 */
export function steppedClock(milliseconds: number): void {
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => (now += milliseconds));
}
