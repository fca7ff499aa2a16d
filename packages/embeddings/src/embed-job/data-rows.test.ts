import { expect, test } from 'vitest';
import { digestTable, textDigest } from './data-rows.js';

test('returns the first number of equal texts, as a Map does, while it grows', () => {
  const table = digestTable();
  const map = new Map<string, number>();
  for (let value = 0; value < 6000; value++) {
    const text = `text ${(value * value) % 4001}`;
    expect(table.firstOr(textDigest(text), value)).toBe(map.get(text));
    if (!map.has(text)) map.set(text, value);
  }
  expect(map.size).toBeGreaterThan(1500);
});
