import { InvalidArgumentError, type Matrix, NotFiniteError } from '@rarefy/core';
import { clusters, normalPoints, rowsOf } from '@rarefy/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { farthestFirst } from './farthest-first.js';

const distanceOf =
  ({ data, cols }: Matrix) =>
  (row: number, other: number) => {
    let sum = 0;
    for (let col = 0; col < cols; col++) sum += (data[row * cols + col]! - data[other * cols + col]!) ** 2;
    return Math.sqrt(sum);
  };

/** The rule as documented, with every distance computed again. */
function naive(points: Matrix, count: number, first: number): number[] {
  const distance = distanceOf(points);
  const picked = [first];
  while (picked.length < count) {
    let [best, farthest] = [-1, -1];
    for (let row = 0; row < points.rows; row++) {
      if (picked.includes(row)) continue;
      const nearest = Math.min(...picked.map((other) => distance(row, other)));
      if (nearest > farthest) [best, farthest] = [row, nearest];
    }
    picked.push(best);
  }
  return picked.slice(0, count);
}

const range = (count: number) => Array.from({ length: count }, (_, at) => at);

test.each([
  ['clusters', clusters([0.02, 0.05, 0.1, 0.3], 40, 12, 1)],
  ['normal values', normalPoints(150, 5, 2)],
  ['one column', normalPoints(60, 1, 3)],
  ['rows that repeat', rowsOf(normalPoints(30, 4, 4), [...range(30), ...range(30), 7, 7, 7])],
])('picks what comparing everything picks: %s', async (_, points) => {
  for (const seed of [0, 1, 2]) {
    const { positions, distances, radius } = await farthestFirst(points, points.rows, { seed });
    expect(Array.from(positions)).toEqual(naive(points, points.rows, positions[0]!));
    expect(radius).toBe(0);
    for (const count of [1, 2, 17]) {
      const fewer = await farthestFirst(points, count, { seed });
      expect(fewer.positions).toEqual(positions.subarray(0, count)); // fewer picks are a prefix of more picks
      expect(fewer.radius).toBe(distances[count]);
    }
  }
});

test('the seed picks the first row, all with the same probability', async () => {
  const points = normalPoints(4, 2, 1);
  const firsts = await Promise.all(range(400).map((seed) => farthestFirst(points, 1, { seed })));
  const counts = range(4).map((row) => firsts.filter(({ positions }) => positions[0] === row).length);
  for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(6 * Math.sqrt(75)); // false alarm below 1e-8
});

test('no choice of as many rows has less than half the radius', async () => {
  const cases = fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
    minLength: 3,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(cases, fc.integer({ min: 1, max: 3 }), async (list, count) => {
      const points = { data: Float32Array.from(list.flat()), rows: list.length, cols: 2 };
      const distance = distanceOf(points);
      const { radius } = await farthestFirst(points, count);
      let best = Number.POSITIVE_INFINITY;
      for (let set = 0; set < 2 ** list.length; set++) {
        const chosen = range(list.length).filter((row) => set & (1 << row));
        if (chosen.length !== count) continue;
        best = Math.min(
          best,
          Math.max(...range(list.length).map((row) => Math.min(...chosen.map((c) => distance(row, c))))),
        );
      }
      expect(radius).toBeLessThanOrEqual(2 * best + 1e-9);
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('reports progress, and rejects with the reason of its signal', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason));
  const events = new Set<string>();
  const run = farthestFirst(normalPoints(5000, 64, 1), 5000, {
    signal: controller.signal,
    onEvent: ({ type }) => events.add(type),
  });
  await expect(run).rejects.toBe(reason);
  expect(events).toEqual(new Set(['work-start', 'work-progress']));
});

test('refuses invalid counts, seeds and points', async () => {
  const points = normalPoints(3, 2, 1);
  for (const count of [-1, 4, 1.5]) await expect(farthestFirst(points, count)).rejects.toThrow(InvalidArgumentError);
  await expect(farthestFirst(points, 1, { seed: 0.5 })).rejects.toThrow('seed must be a safe integer');
  points.data[3] = Number.NaN;
  await expect(farthestFirst(points, 1)).rejects.toThrow(NotFiniteError);
  expect(await farthestFirst(normalPoints(3, 2, 1), 0)).toMatchObject({
    radius: Infinity,
    positions: new Int32Array(0),
  });
});
