import { expect, test } from 'vitest';
import { rateMeter } from './rate-meter.js';

test('the rate is that of the last seconds: work of an earlier run does not count', () => {
  const meter = rateMeter(0);
  expect(meter({ done: 0, total: 9000 }, 0)).toBeUndefined();
  expect(meter({ done: 5000, total: 9000 }, 10)).toMatch(/^500000\/s/);
  for (let second = 1; second < 60; second++) meter({ done: 5000 + 20 * second, total: 9000 }, 1000 * second);
  expect(meter({ done: 6200, total: 9000 }, 60_000)).toBe('20/s, 2 min left');
  expect(meter({ done: 6200 }, 60_000)).toBe('20/s');
  expect(meter({ done: 6200, total: 9_000_000 }, 60_000)).toBe('20/s, 124 h 55 min left');
});
