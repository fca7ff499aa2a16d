import type { Matrix, Metric, RowSource } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { fastEngines } from '../../../../tests/support/exact-engines.js';
import { difference, hardValues, matrixOf, normal, pickRows, uniforms } from '../../../../tests/support/exact-rows.js';
import { casesOf, isExhaustive } from '../../../../tests/support/exhaustive.js';
import { type ExactNeighbors, exactIndex, exactNeighbors } from './exact.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];

/** A random permutation of 0 to count - 1 (Fisher and Yates). */
function shuffled(count: number, uniform: () => number): number[] {
  const order = Array.from({ length: count }, (_, at) => at);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(uniform() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

/** Rows of small integers, whose sums are exact. */
const integers = (rows: number, cols: number, uniform: () => number) =>
  matrixOf(rows, cols, () => Math.floor(uniform() * 9) - 4);

/** Rows with their columns permuted and some signs changed, which is exact in float32. */
function turned({ data, rows, cols }: Matrix, uniform: () => number): Matrix {
  const order = shuffled(cols, uniform);
  const sign = order.map(() => (uniform() < 0.5 ? -1 : 1));
  const moved = Float32Array.from(data, (_, at) => {
    const column = at % cols;
    return sign[column]! * data[at - column + order[column]!]!;
  });
  return { data: moved, rows, cols };
}

describe.each(fastEngines)('$engine engine$reason', ({ engine, reason }) => {
  describe.skipIf(reason !== '')('keeps the laws of neighbors', () => {
    test('rows in another order have the same distances, and the same neighbors if there are no ties', async () => {
      const uniform = uniforms(1);
      for (let round = 0; round < casesOf(60, 1000); round++) {
        const rows = 2 + Math.floor(uniform() * 40);
        const k = 1 + Math.floor(uniform() * (rows - 1));
        const metric = metrics[round % 3]!;
        const points = matrixOf(rows, 1 + Math.floor(uniform() * 12), () => normal(uniform));
        const order = shuffled(rows, uniform);
        const before = await exactNeighbors(points, { k, metric, engine });
        const after = await exactNeighbors(pickRows(points, order), { k, metric, engine });
        const expected = pickRows({ data: before.distances, rows, cols: k }, order);
        expect(after.distances).toEqual(expected.data);
        for (let at = 0; at < rows * k; at++) {
          const row = Math.floor(at / k);
          const start = order[row]! * k;
          const list = before.distances.subarray(start, start + k);
          const isTied = list.filter((distance) => distance === after.distances[at]).length > 1 || at % k === k - 1;
          if (!isTied) expect(order[after.ids[at]!]).toBe(before.ids[start + (at % k)]);
        }
      }
    });

    test('rows with permuted columns and changed signs have the same neighbors', async () => {
      const uniform = uniforms(2);
      for (let round = 0; round < casesOf(60, 1000); round++) {
        const rows = 2 + Math.floor(uniform() * 40);
        const k = 1 + Math.floor(uniform() * (rows - 1));
        const metric = metrics[round % 3]!;
        // All sums of integers are exact, so the order of columns does not matter, and there are many ties.
        const points = integers(rows, 1 + Math.floor(uniform() * 12), uniform);
        const expected = await exactNeighbors(points, { k, metric, engine });
        const actual = await exactNeighbors(turned(points, uniform), { k, metric, engine });
        expect(difference(actual, expected)).toBe('');
      }
    });

    test('rotated rows have the same neighbors unless distances are nearly tied', async () => {
      const uniform = uniforms(3);
      for (let round = 0; round < casesOf(5, 40); round++) {
        const points = matrixOf(200, 6, () => normal(uniform));
        const angle = uniform() * 2 * Math.PI;
        const rotated = { ...points, data: points.data.slice() };
        for (let at = 0; at < rotated.data.length; at += 2) {
          rotated.data[at] = Math.cos(angle) * points.data[at]! - Math.sin(angle) * points.data[at + 1]!;
          rotated.data[at + 1] = Math.sin(angle) * points.data[at]! + Math.cos(angle) * points.data[at + 1]!;
        }
        const before = await exactNeighbors(points, { k: 6, engine });
        const after = await exactNeighbors(rotated, { k: 6, engine });
        for (let row = 0; row < 200; row++) {
          for (let at = row * 6; at < row * 6 + 5; at++) {
            expect(Math.abs(after.distances[at]! / before.distances[at]! - 1)).toBeLessThan(1e-5);
            const gap = Math.min(
              before.distances[at + 1]! - before.distances[at]!,
              at % 6 === 0 ? Infinity : before.distances[at]! - before.distances[at - 1]!,
            );
            if (gap > 1e-5) expect(after.ids[at]).toBe(before.ids[at]);
          }
        }
      }
    });

    test('a copy of a row is its nearest neighbor, and a far row changes no list', async () => {
      const uniform = uniforms(4);
      for (let round = 0; round < casesOf(20, 200); round++) {
        const rows = 10 + Math.floor(uniform() * 60);
        const points = matrixOf(rows, 5, () => normal(uniform));
        const before = await exactNeighbors(points, { k: 4, engine });
        const copied = Math.floor(uniform() * rows);
        const order = Array.from({ length: rows }, (_, row) => row);
        const after = await exactNeighbors(pickRows(points, [...order, copied]), { k: 4, engine });
        expect([after.ids[copied * 4], after.distances[copied * 4]]).toEqual([rows, 0]);
        for (let row = 0; row < rows; row++) {
          for (let at = row * 4; at < row * 4 + 4; at++) {
            expect(after.distances[at]).toBeLessThanOrEqual(before.distances[at]!);
          }
        }
        const far = pickRows(points, [...order, 0]);
        far.data.fill(1e4, rows * 5);
        const with1 = await exactNeighbors(far, { k: 4, engine });
        expect(with1.ids.subarray(0, rows * 4)).toEqual(before.ids);
        expect(with1.distances.subarray(0, rows * 4)).toEqual(before.distances);
      }
    });

    test('any number of workers returns the same bytes, run after run', async () => {
      const uniform = uniforms(5);
      const few = matrixOf(900, 20, () => normal(uniform));
      const points = pickRows(
        few,
        Array.from({ length: 1300 }, () => Math.floor(uniform() * uniform() * 900)),
      );
      const expected = new Map<Metric, ExactNeighbors>();
      for (const metric of metrics) {
        expected.set(metric, await exactNeighbors(points, { k: 9, metric, engine: 'typescript' }));
      }
      for (let run = 0; run < casesOf(3, 21); run++) {
        const metric = metrics[run % 3]!;
        for (const workers of [1, 2, 4, 8]) {
          const actual = await exactNeighbors(points, { k: 9, metric, engine, workers });
          expect(difference(actual, expected.get(metric)!), `${metric}, ${workers} workers, run ${run}`).toBe('');
        }
      }
    });
  });
});

describe('rows joined in parts', () => {
  const uniform = uniforms(6);
  const few = matrixOf(1200, 10, () => normal(uniform));
  const points = pickRows(
    few,
    Array.from({ length: 1700 }, () => Math.floor(uniform() * 1200)),
  );
  // Memory for two parts of one block each.
  const memoryBytes = 1_300_000;

  test('give the bytes of all rows at once, on workers too', async () => {
    for (const metric of metrics) {
      const expected = await exactNeighbors(points, { k: 12, metric, engine: 'typescript' });
      const inline = await exactNeighbors(points, { k: 12, metric, engine: 'wasm', memoryBytes });
      expect(difference(inline, expected), metric).toBe('');
      expect(inline.fullScans).toBe(0);
      // Equal rows of different parts are not merged.
      expect(inline.distinctRows).toBeGreaterThan(expected.distinctRows);
      const threaded = await exactNeighbors(points, { k: 12, metric, engine: 'wasm', memoryBytes, workers: 2 });
      expect(difference(threaded, expected), metric).toBe('');
    }
  });

  test('give them if many rows need more candidates than there is memory for', async () => {
    const draw = uniforms(11);
    const crowded = matrixOf(1600, 8, () => 1 + 1e-5 * normal(draw));
    for (const metric of metrics) {
      const expected = await exactNeighbors(crowded, { k: 6, metric, engine: 'typescript' });
      for (const workers of [undefined, 2]) {
        const actual = await exactNeighbors(crowded, { k: 6, metric, engine: 'wasm', memoryBytes: 1_700_000, workers });
        expect(difference(actual, expected)).toBe('');
        if (metric !== 'euclidean') expect(actual.fullScans).toBeGreaterThan(0);
      }
    }
  });

  test.each(Object.entries(hardValues))('give them for hard values: %s', async (name, value) => {
    for (const metric of isExhaustive ? metrics : [metrics[name.length % 3]!]) {
      const draw = uniforms(8);
      const hard = matrixOf(800, 7, () => value(draw));
      const expected = await exactNeighbors(hard, { k: 6, metric, engine: 'typescript' });
      const actual = await exactNeighbors(hard, { k: 6, metric, engine: 'wasm', memoryBytes: 1_000_000 });
      expect(difference(actual, expected)).toBe('');
    }
  });

  test('are read from a source in blocks, and a source that returns wrong rows is refused', async () => {
    let mostRows = 0;
    const source: RowSource = {
      rows: points.rows,
      cols: points.cols,
      async read(start, end) {
        mostRows = Math.max(mostRows, end - start);
        return pickRows(
          points,
          Array.from({ length: end - start }, (_, at) => start + at),
        );
      },
    };
    const expected = await exactNeighbors(points, { k: 12, engine: 'typescript' });
    expect(difference(await exactNeighbors(source, { k: 12, engine: 'wasm', memoryBytes }), expected)).toBe('');
    expect(mostRows).toBeLessThanOrEqual(384);
    for (const engine of ['wasm', 'typescript'] as const) {
      expect(difference(await exactNeighbors(source, { k: 12, engine }), expected)).toBe('');
      const short: RowSource = { ...source, read: (start, end) => source.read(start, Math.max(start, end - 1)) };
      await expect(exactNeighbors(short, { k: 2, engine })).rejects.toThrow(
        'points gave 1699 rows x 10 columns for rows 0',
      );
      const nan: RowSource = {
        ...source,
        read: async (start, end) => matrixOf(end - start, 10, () => (start <= 500 && end > 500 ? Number.NaN : 1)),
      };
      await expect(exactNeighbors(nan, { k: 2, engine, memoryBytes })).rejects.toThrow('points have NaN in row');
    }
  });
});

describe('search of many queries by the wasm engine', () => {
  const uniform = uniforms(9);
  const rows = pickRows(
    matrixOf(320, 11, () => normal(uniform)),
    Array.from({ length: 450 }, (_, at) => (at * at) % 320),
  );
  const queries = pickRows(
    rows,
    Array.from({ length: 80 }, (_, at) => at * 5),
  );
  queries.data.forEach((value, at) => {
    if (at % 22 < 11) queries.data[at] = value + 0.1 * normal(uniform);
  });

  test.each(metrics)('%s: the bytes of the TypeScript engine, with and without excluded rows', async (metric) => {
    const exclude = Int32Array.from({ length: 80 }, (_, query) => (query % 3 === 0 ? -1 : query * 5));
    const answers = async (options: Parameters<typeof exactIndex>[0], k: number) => {
      const index = exactIndex({ metric, ...options });
      await index.add(rows);
      return [await index.search(queries, { k }), await index.search(queries, { k, exclude })] as const;
    };
    for (const k of [1, 10, 449, 500]) {
      const expected = await answers({ engine: 'typescript' }, k);
      for (const options of [{}, { workers: 2 }, ...(k === 10 ? [{ memoryBytes: 1_100_000 }] : [])]) {
        const actual = await answers({ engine: 'wasm', ...options }, k);
        expect(difference(actual[0], expected[0])).toBe('');
        expect(difference(actual[1], expected[1])).toBe('');
      }
    }
  });

  test('values at the limits of float32', async () => {
    for (const [name, value] of Object.entries(hardValues)) {
      const draw = uniforms(10);
      const points = matrixOf(300, 5, () => value(draw));
      const metric = metrics[name.length % 3]!;
      const [expected, actual] = await Promise.all(
        (['typescript', 'wasm'] as const).map(async (engine) => {
          const index = exactIndex({ metric, engine });
          await index.add(points);
          return index.search(points, { k: 4 });
        }),
      );
      expect(difference(actual!, expected!), name).toBe('');
    }
  });
});
