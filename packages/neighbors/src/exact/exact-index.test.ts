import {
  counterRandom,
  InvalidArgumentError,
  type Matrix,
  type Metric,
  NotFiniteError,
  ShapeError,
  selfJoin,
  type WorkEvent,
} from '@rarefy/core';
import { neighborIndexChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exactIndex } from './exact.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];

for (const metric of metrics) {
  describeChecks(`exactIndex, ${metric}`, neighborIndexChecks({ create: () => exactIndex({ metric }) }));
}

/** Naive oracle: one float64 accumulator, columns in order; then sorted by (float32 distance, id). */
function oracle(metric: Metric, { data, rows, cols }: Matrix, k: number) {
  const row = (i: number) => Array.from(data.subarray(i * cols, (i + 1) * cols));
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, c) => sum + value * y[c]!, 0);
  const distance = (x: number[], y: number[]) => {
    if (metric === 'euclidean') return Math.sqrt(x.reduce((sum, value, c) => sum + (value - y[c]!) ** 2, 0));
    if (metric === 'dot') return -dot(x, y);
    const lengths = Math.sqrt(dot(x, x) * dot(y, y));
    return lengths === 0 ? 1 : 1 - dot(x, y) / lengths;
  };
  const vectors = Array.from({ length: rows }, (_, i) => row(i));
  return vectors.map((x, i) =>
    vectors
      .flatMap((y, j) => (i === j ? [] : [{ id: j, distance: distance(x, y) }]))
      .sort((a, b) => Math.fround(a.distance) - Math.fround(b.distance) || a.id - b.id)
      .slice(0, k),
  );
}

function random(rows: number, cols: number, seed: number, value: (uniform: number) => number): Matrix {
  const uniforms = counterRandom(seed);
  return { data: Float32Array.from({ length: rows * cols }, (_, at) => value(uniforms.uniform(at))), rows, cols };
}

const gaussLike = (u: number) => Math.tan(2.8 * (u - 0.5));

describe('every row gets its true neighbors', () => {
  // All sums of small integers are exact in float64, so the oracle agrees to the last bit and every tie is a true tie.
  test.each(metrics)('%s, small integers: ids and distances to the bit, ties by id', async (metric) => {
    for (const [rows, cols, k] of [
      [2, 1, 1],
      [40, 3, 39],
      [300, 2, 7],
      [200, 17, 20],
      [150, 8, 5],
    ] as const) {
      const points = random(rows, cols, rows, (u) => Math.floor(u * 3));
      const found = await selfJoin(exactIndex({ metric }), points, { k });
      const expected = oracle(metric, points, k).flat();
      if (metric === 'cosine') {
        // Oracle and index round sqrt and the quotient once each, and all inputs are exact.
        expect(Array.from(found.distances)).toEqual(expected.map((entry) => Math.max(0, Math.fround(entry.distance))));
      } else {
        expect(Array.from(found.distances)).toEqual(expected.map((entry) => Math.fround(entry.distance) + 0));
      }
      expect(Array.from(found.ids)).toEqual(expected.map((entry) => entry.id));
    }
  });

  test.each([
    ['gaussian', gaussLike],
    ['offset', (u: number) => 1000 + u],
    ['mostly zero', (u: number) => (u < 0.97 ? (u < 0.5 ? 0 : -0) : 1)],
    ['tiny', (u: number) => u * 1e-20],
    ['huge', (u: number) => (u - 0.5) * 1e17],
    ['six decades', (u: number) => ((u * 1000) % 1) * 10 ** (u * 6 - 3)],
  ])('%s values: each neighbor as near as the oracle says, within one float32 rounding', async (_name, value) => {
    for (const metric of metrics) {
      for (const [rows, cols, k] of [
        [60, 33, 9],
        [150, 5, 20],
      ] as const) {
        const points = random(rows, cols, 7, value);
        const found = await selfJoin(exactIndex({ metric }), points, { k });
        const expected = oracle(metric, points, k).flat();
        // Cosine subtracts from 1, so its rounding is absolute; the others are relative.
        const scale = (distance: number) => (metric === 'cosine' ? 1 : Math.abs(distance));
        expected.forEach(({ distance }, at) => {
          expect(Math.abs(found.distances[at]! - distance)).toBeLessThanOrEqual(1.2e-7 * scale(distance) + 1e-45);
        });
      }
    }
  });

  test('search equals the self-join when each row excludes itself, for any shape and metric', async () => {
    const matrices = fc
      .record({ rows: fc.integer({ min: 2, max: 30 }), cols: fc.integer({ min: 1, max: 20 }) })
      .chain(({ rows, cols }) =>
        fc
          .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: rows * cols, maxLength: rows * cols })
          .map((values) => ({ data: Float32Array.from(values), rows, cols })),
      );
    await fc.assert(
      fc.asyncProperty(
        matrices,
        fc.constantFrom(...metrics),
        fc.integer({ min: 1, max: 35 }),
        async (points, metric, k) => {
          const index = exactIndex({ metric });
          await index.add(points);
          const exclude = Int32Array.from({ length: points.rows }, (_, row) => row);
          const joined = await index.selfJoin!({ k });
          expect(await index.search(points, { k, exclude })).toEqual(joined);
          for (let at = 0; at < joined.ids.length; at++) expect(joined.ids[at]).not.toBe(Math.floor(at / k));
        },
      ),
      { numRuns: 200, seed: 1 },
    );
  });
});

test('a row that occurs five times lists its four copies first, at distance 0, and never itself', async () => {
  const points = random(50, 12, 3, gaussLike);
  for (const copy of [10, 20, 30, 40]) points.data.copyWithin(copy * 12, 0, 12);
  for (const metric of ['euclidean', 'cosine'] as const) {
    const { ids, distances } = await selfJoin(exactIndex({ metric }), points, { k: 6 });
    for (const row of [0, 10, 20, 30, 40]) {
      expect(Array.from(ids.subarray(row * 6, row * 6 + 4))).toEqual([0, 10, 20, 30, 40].filter((id) => id !== row));
      expect(Array.from(distances.subarray(row * 6, row * 6 + 4))).toEqual([0, 0, 0, 0]);
      expect(distances[row * 6 + 4]).toBeGreaterThan(0);
    }
  }
});

test('known distances: euclidean is a length, cosine is 1 - cos with zero vectors at 1, dot is minus the product', async () => {
  const points: Matrix = { data: Float32Array.from([3, 4, 6, 8, 0, 0, -3, -4]), rows: 4, cols: 2 };
  const of = async (metric: Metric) => {
    const index = exactIndex({ metric });
    await index.add(points);
    const found = await index.search({ data: Float32Array.from([3, 4]), rows: 1, cols: 2 }, { k: 4 });
    return Array.from(found.ids, (id, at) => [id, found.distances[at]]);
  };
  expect(await of('euclidean')).toEqual([
    [0, 0],
    [1, 5],
    [2, 5],
    [3, 10],
  ]);
  expect(await of('cosine')).toEqual([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 2],
  ]);
  expect(await of('dot')).toEqual([
    [1, -50],
    [0, -25],
    [2, 0],
    [3, 25],
  ]);
});

test('missing neighbors are id -1 at +Infinity, also in an empty index, and come after an overflowed distance', async () => {
  const index = exactIndex();
  const query: Matrix = { data: Float32Array.from([-3e38]), rows: 1, cols: 1 };
  expect(Array.from((await index.search(query, { k: 2 })).ids)).toEqual([-1, -1]);
  await index.add({ data: Float32Array.from([3e38, -3e38]), rows: 2, cols: 1 });
  const found = await index.search(query, { k: 4 });
  expect(Array.from(found.ids)).toEqual([1, 0, -1, -1]);
  expect(Array.from(found.distances)).toEqual([0, Infinity, Infinity, Infinity]);
});

test('-0 equals 0', async () => {
  const index = exactIndex({ metric: 'dot' });
  await index.add({ data: Float32Array.from([0, -0, 5]), rows: 3, cols: 1 });
  const found = await index.search({ data: Float32Array.from([-0]), rows: 1, cols: 1 }, { k: 3 });
  expect(Array.from(found.distances)).toEqual([0, 0, 0]); // toEqual distinguishes 0 from -0
  expect(Array.from(found.ids)).toEqual([0, 1, 2]);
});

test('rows added in parts are like rows added at once, and the caller may overwrite them afterwards', async () => {
  const points = random(100, 6, 5, gaussLike);
  const whole = exactIndex();
  await whole.add(points);
  const parts = exactIndex();
  for (let row = 0; row < 100; row += 7) {
    const rows = Math.min(7, 100 - row);
    const part = points.data.slice(row * 6, (row + rows) * 6);
    await parts.add({ data: part, rows, cols: 6 });
    part.fill(9);
  }
  await parts.add({ data: new Float32Array(0), rows: 0, cols: 6 });
  expect(parts.size).toBe(100);
  expect(await parts.selfJoin!({ k: 5 })).toEqual(await whole.selfJoin!({ k: 5 }));
});

test('rows added while a search runs do not change its answer', async () => {
  const points = random(3000, 16, 6, gaussLike);
  const index = exactIndex();
  await index.add(points);
  const expected = await index.search(points, { k: 3 });
  const running = index.search(points, { k: 3 });
  await index.add(random(3000, 16, 6, () => 0));
  expect(await running).toEqual(expected);
});

test('bad input is refused with its row and column, and nothing of it is kept', async () => {
  const index = exactIndex();
  await index.add({ data: Float32Array.from([1, 2, 3, 4]), rows: 2, cols: 2 });
  const nan = { data: Float32Array.from([1, 2, 3, Number.NaN]), rows: 2, cols: 2 };
  const infinite = { data: Float32Array.from([1, Infinity]), rows: 1, cols: 2 };
  await expect(index.add(nan)).rejects.toThrow('vectors have NaN in row 1, column 1');
  await expect(index.add(infinite)).rejects.toBeInstanceOf(NotFiniteError);
  await expect(index.search(infinite, { k: 1 })).rejects.toThrow('queries have Infinity in row 0, column 1');
  await expect(index.add({ data: new Float32Array(3), rows: 1, cols: 3 })).rejects.toThrow('vectors have 3 columns');
  await expect(index.add({ data: new Float32Array(3), rows: 2, cols: 2 })).rejects.toBeInstanceOf(ShapeError);
  await expect(index.add({ data: new Float32Array(0), rows: 3, cols: 0 })).rejects.toThrow('without columns');
  await expect(index.search({ data: new Float32Array(3), rows: 1, cols: 3 }, { k: 1 })).rejects.toBeInstanceOf(
    ShapeError,
  );
  const query = { data: new Float32Array(2), rows: 1, cols: 2 };
  await expect(index.search(query, { k: 1, exclude: new Int32Array(2) })).rejects.toThrow('2 ids for 1 queries');
  for (const k of [0, -1, 1.5, Number.NaN]) {
    await expect(index.search(query, { k })).rejects.toThrow(`k must be an integer ≥ 1, got ${k}`);
    await expect(index.selfJoin!({ k })).rejects.toThrow('k must be');
  }
  // Lists that are too long for an array are refused before one is allocated.
  await expect(index.selfJoin!({ k: 2 ** 31 })).rejects.toThrow('k must be at most 2147483647 / rows');
  await expect(index.search(query, { k: 2 ** 31 })).rejects.toBeInstanceOf(InvalidArgumentError);
  const doubles = { ...query, data: new Float64Array(2) as unknown as Float32Array };
  await expect(index.add(doubles)).rejects.toThrow('vectors must be in a Float32Array, got Float64Array');
  await expect(index.search(doubles, { k: 1 })).rejects.toThrow('queries must be in a Float32Array, got Float64Array');
  expect(() => exactIndex({ metric: 'toString' as Metric })).toThrow('one of euclidean, cosine, dot, got toString');
  expect(index.size).toBe(2);
});

describe('long work', () => {
  const points = random(3000, 128, 8, gaussLike);

  test.each(['typescript', 'wasm', 'auto'] as const)(
    'is stopped by its signal within the work, with the signal’s reason, and the index stays usable: %s',
    async (engine) => {
      const index = exactIndex({ engine });
      await index.add(points);
      for (const work of ['selfJoin', 'search'] as const) {
        const controller = new AbortController();
        const reason = new Error('enough');
        const onEvent = (event: WorkEvent) => {
          // A native join reports progress by the clock.
          if (engine === 'auto' ? event.type === 'work-start' : event.type === 'work-progress')
            controller.abort(reason);
          expect(event.type).not.toBe('work-end');
        };
        const options = { k: 2, signal: controller.signal, onEvent };
        const running = work === 'search' ? index.search(points, options) : index.selfJoin!(options);
        await expect(running).rejects.toBe(reason);
        await expect(index.selfJoin!({ k: 1, signal: controller.signal })).rejects.toBe(reason);
      }
      expect((await index.search({ ...points, data: points.data.slice(0, 128), rows: 1 }, { k: 1 })).ids[0]).toBe(0);
    },
  );

  test('lets timers run and reports its progress in rows', async () => {
    const index = exactIndex({ engine: 'typescript' }); // the slowest, so that there is time for timers
    await index.add(points);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const events: string[] = [];
    await index.selfJoin!({
      k: 2,
      onEvent: (event) => events.push('done' in event ? `${event.type} ${event.done}` : event.type),
    });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
    expect(events[0]).toBe('work-start');
    expect(events.at(-2)).toBe('work-progress 3000');
    expect(events.at(-1)).toBe('work-end 3000');
  });
});
