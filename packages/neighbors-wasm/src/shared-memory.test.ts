import { expect, test } from 'vitest';
import { layOut, sharedMemory } from './shared-memory.js';

test('arrays follow each other at multiples of 64 bytes, after the first page', () => {
  const { addresses, end } = layOut({ a: 4, b: 65, c: 0 });
  expect(addresses).toEqual({ a: 65536, b: 65600, c: 65728 });
  expect(end).toBe(65728);
  expect(layOut({ d: 1 }, end).addresses.d).toBe(65728);
  expect(sharedMemory(end, '').buffer.byteLength).toBe(2 * 65536);
});
