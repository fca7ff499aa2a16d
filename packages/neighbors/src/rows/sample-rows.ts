import { counterRandom } from '@rarefy/core';

/**
 * `count` different row numbers below `rows`, ascending; all of them if there are not more. Every set is equally likely.
 * Deterministic for a seed.
 * Source: Floyd's algorithm; Bentley and Floyd, "A sample of brilliance", CACM 1987.
 */
export function sampleRows(rows: number, count: number, seed: number): Int32Array {
  const random = counterRandom(seed);
  const chosen = new Set<number>();
  for (let last = Math.max(0, rows - count); last < rows; last++) {
    const row = Math.floor(random.uniform(last) * (last + 1));
    chosen.add(chosen.has(row) ? last : row);
  }
  return Int32Array.from(chosen).sort();
}
