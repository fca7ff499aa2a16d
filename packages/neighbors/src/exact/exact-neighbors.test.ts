import { type Matrix, type Metric, MissingDependencyError, NotFiniteError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fastEngines } from '../../../../tests/support/exact-engines.js';
import { difference, hardValues, matrixOf, normal, pickRows, uniforms } from '../../../../tests/support/exact-rows.js';
import { casesOf, isExhaustive } from '../../../../tests/support/exhaustive.js';
import { type ExactNeighborsOptions, exactNeighbors } from './exact.js';

/** Rows, columns and k of shapes that take longer. */
const longShapes = [
  [900, 17, 20],
  [1500, 4, 20],
  [700, 96, 100],
] as const;
const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];

/** Sorted distances of each row to the others: one float64 accumulator, columns in order. */
function naiveDistances({ data, rows, cols }: Matrix, metric: Metric): Float64Array[] {
  const dot = (i: number, j: number) => {
    let sum = 0;
    for (let c = 0; c < cols; c++) sum += data[i * cols + c]! * data[j * cols + c]!;
    return sum;
  };
  const distance = (i: number, j: number) => {
    if (metric === 'dot') return -dot(i, j);
    if (metric === 'cosine') {
      const lengths = Math.sqrt(dot(i, i) * dot(j, j));
      return lengths === 0 ? 1 : 1 - dot(i, j) / lengths;
    }
    let sum = 0;
    for (let c = 0; c < cols; c++) sum += (data[i * cols + c]! - data[j * cols + c]!) ** 2;
    return Math.sqrt(sum);
  };
  return Array.from({ length: rows }, (_, i) => {
    const distances = new Float64Array(Math.max(0, rows - 1));
    for (let j = 0; j < rows; j++) if (j !== i) distances[j < i ? j : j - 1] = distance(i, j);
    return distances.sort();
  });
}

describe.each(fastEngines)('$engine engine$reason', ({ engine, reason }) => {
  describe.skipIf(reason !== '')('returns what the definition says', () => {
    /** Expects the bytes of the TypeScript engine, and returns the result. */
    async function checked(points: Matrix, options: ExactNeighborsOptions) {
      const expected = await exactNeighbors(points, { ...options, engine: 'typescript' });
      const actual = await exactNeighbors(points, { ...options, engine });
      const { rows, cols } = points;
      expect(difference(actual, expected), `${rows} x ${cols}, k ${options.k}, ${options.metric}`).toBe('');
      expect(actual.distinctRows).toBe(expected.distinctRows);
      return actual;
    }

    test('for random shapes and metrics, also by a float64 oracle', async () => {
      const uniform = uniforms(1);
      for (let round = 0; round < casesOf(40, 200); round++) {
        const rows = 1 + Math.floor(uniform() * 300);
        const cols = 1 + Math.floor(uniform() * 64);
        const k = 1 + Math.floor(uniform() * Math.max(1, rows - 1));
        const metric = metrics[round % 3]!;
        const points = matrixOf(rows, cols, () => normal(uniform));
        const { ids, distances } = await checked(points, { k, metric });
        let worst = 0;
        for (const [row, sorted] of naiveDistances(points, metric).entries()) {
          for (let at = 0; at < Math.min(k, sorted.length); at++) {
            const size = Math.max(metric === 'cosine' ? 1 : 1e-3, Math.abs(sorted[at]!));
            worst = Math.max(worst, Math.abs(distances[row * k + at]! - sorted[at]!) / size);
            if (ids[row * k + at] === row) worst = Infinity;
          }
        }
        expect(worst).toBeLessThanOrEqual(1e-6);
      }
    });

    test.each(Object.entries(hardValues))('for hard values: %s', async (_name, value) => {
      const shapes = [
        [2, 1, 1],
        [1, 3, 2],
        [40, 3, 39],
        [40, 3, 60],
        [500, 2, 7],
        [420, 17, 20],
        [385, 33, 5],
        ...(isExhaustive ? longShapes : []),
      ] as const;
      for (const [rows, cols, k] of shapes) {
        const uniform = uniforms(rows + cols);
        for (const metric of metrics)
          await checked(
            matrixOf(rows, cols, () => value(uniform)),
            { k, metric },
          );
      }
    });

    test('for copies of rows, all equal rows, zero rows and rows on a line', async () => {
      const uniform = uniforms(2);
      const few = matrixOf(30, 9, () => normal(uniform));
      few.data.fill(0, 18, 36);
      few.data.fill(-0, 27, 31);
      const copies = pickRows(
        few,
        Array.from({ length: 400 }, () => Math.floor(uniform() * 30)),
      );
      const line: Matrix = {
        data: Float32Array.from({ length: 600 }, (_, at) => (at % 3) * (at - (at % 3))),
        rows: 200,
        cols: 3,
      };
      for (const metric of metrics) {
        for (const k of [1, 5, 29, 31, 399, 450]) {
          const { ids, distinctRows } = await checked(copies, { k, metric });
          expect(distinctRows).toBe(29);
          for (let row = 0; row < 400; row++) expect(ids.subarray(row * k, (row + 1) * k)).not.toContain(row);
        }
        await checked({ data: new Float32Array(300).fill(2.5), rows: 100, cols: 3 }, { k: 7, metric });
        await checked(
          matrixOf(100, 3, () => 0),
          { k: 7, metric },
        );
        await checked(line, { k: 7, metric });
      }
    });

    test('by inner product, copies of a row are ordered by their own product', async () => {
      // Rows 0 and 3 are equal and short, 1 and 2 long: the copy of a short row is its farthest.
      const points: Matrix = { data: Float32Array.of(1, 0, 5, 1, 9, 0, 1, 0), rows: 4, cols: 2 };
      const { ids, distances } = await checked(points, { k: 3, metric: 'dot' });
      expect(Array.from(ids.subarray(0, 3))).toEqual([2, 1, 3]);
      expect(Array.from(distances.subarray(0, 3))).toEqual([-9, -5, -1]);
      // Squares too small for float32: 0, not -0, of which the bytes are others.
      const tiny: Matrix = { data: Float32Array.of(1e-30, 0, 1e-30, 0, 5, 1), rows: 3, cols: 2 };
      await checked(tiny, { k: 2, metric: 'dot' });
    });

    test('for any values at all, copies of rows among them', async () => {
      const value = fc.oneof(
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(0, -0, 1, 1e-30, -1e18, 3e38, 1e-45).map(Math.fround),
      );
      const cases = fc.record({
        values: fc.array(value, { minLength: 1, maxLength: 60 }),
        cols: fc.integer({ min: 1, max: 9 }),
        order: fc.array(fc.nat(20), { minLength: 1, maxLength: 40 }),
        k: fc.integer({ min: 1, max: 45 }),
        metric: fc.constantFrom(...metrics),
      });
      await fc.assert(
        fc.asyncProperty(cases, async ({ values, cols, order, k, metric }) => {
          const rows = Math.ceil(values.length / cols);
          const distinct = matrixOf(rows, cols, () => 0);
          distinct.data.set(values);
          const points = pickRows(
            distinct,
            order.map((row) => row % rows),
          );
          await checked(points, { k, metric });
        }),
        { numRuns: casesOf(150, 1500), seed: 1 },
      );
    });

    test('for copies of rows of hard values', async () => {
      for (const [name, value] of Object.entries(hardValues)) {
        const uniform = uniforms(name.length);
        const few = matrixOf(12, 3, () => value(uniform));
        const copies = pickRows(
          few,
          Array.from({ length: 60 }, () => Math.floor(uniform() * 12)),
        );
        for (const metric of metrics) await checked(copies, { k: 9, metric });
      }
    });

    test('for very wide rows, and if there are fewer than k others', async () => {
      const uniform = uniforms(3);
      for (const metric of metrics) {
        await checked(
          matrixOf(6, 50_304, () => normal(uniform)),
          { k: 4, metric },
        );
        const { ids, distances } = await checked(
          matrixOf(3, 5, () => normal(uniform)),
          { k: 4, metric },
        );
        expect(Array.from(ids.subarray(2, 4))).toEqual([-1, -1]);
        expect(Array.from(distances.subarray(2, 4))).toEqual([Infinity, Infinity]);
      }
    });

    test('at a distance of 1e-4 between rows of length 1,000, with a relative error of 1e-6', async () => {
      const uniform = uniforms(4);
      const base = matrixOf(1, 64, () => normal(uniform) * 125);
      const points = matrixOf(300, 64, () => 0);
      points.data.forEach((_, at) => {
        points.data[at] = base.data[at % 64]! + 1.25e-5 * normal(uniform);
      });
      const { distances } = await checked(points, { k: 5 });
      const naive = naiveDistances(points, 'euclidean');
      distances.forEach((distance, at) => {
        const expected = naive[Math.floor(at / 5)]![at % 5]!;
        expect(Math.abs(distance - expected)).toBeLessThanOrEqual(1e-6 * expected);
      });
    });

    test('a few huge rows do not cause full scans of the others', async () => {
      const uniform = uniforms(5);
      const points = matrixOf(2000, 24, () => normal(uniform));
      for (let row = 0; row < 2000; row += 400) {
        for (let column = 0; column < 24; column++) points.data[row * 24 + column]! *= 10 ** (3 + row / 200);
      }
      for (const metric of metrics) {
        const { fullScans } = await checked(points, { k: 10, metric });
        expect(fullScans, metric).toBeLessThanOrEqual(metric === 'euclidean' ? 10 : 5);
      }
    });

    test('rows with hundreds of others at about the distance of their neighbors need no full scan', async () => {
      const uniform = uniforms(9);
      const centers = matrixOf(5, 96, () => normal(uniform));
      // Five clusters of 400 near copies, which the bound cannot distinguish.
      const points = matrixOf(2000, 96, () => 0);
      points.data.forEach((_, at) => {
        points.data[at] = centers.data[(Math.floor(at / 96) % 5) * 96 + (at % 96)]! + 0.01 * normal(uniform);
      });
      for (const metric of metrics) {
        const { fullScans } = await checked(points, { k: 20, metric });
        expect(fullScans, metric).toBe(0);
      }
    });

    test.each([
      ['normal rows', 1, 0],
      ['rows far from the origin', 1, 30],
      ['tiny rows', 1e-18, 0],
      ['rows of large numbers', 1e15, 0],
    ])('%s are found by the pre-filter, without a full scan', async (_name, scale, offset) => {
      const uniform = uniforms(6);
      const points = matrixOf(1500, 48, () => scale * (offset + normal(uniform)));
      for (const metric of metrics) {
        if (metric === 'cosine' && offset > 0) continue; // angles of 1e-2 between all rows
        if (metric === 'dot' && scale < 1) continue; // products of 1e-36, too small for all digits of float32
        const { fullScans } = await checked(points, { k: 20, metric });
        expect(fullScans, metric).toBe(0);
      }
    });

    test('a NaN or infinity is refused with its row and column', async () => {
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        for (const at of [0, 13, 3999]) {
          const points = matrixOf(1000, 4, () => 1);
          points.data[at] = value;
          const searching = exactNeighbors(points, { k: 2, engine });
          await expect(searching).rejects.toBeInstanceOf(NotFiniteError);
          await expect(searching).rejects.toThrow(
            `points have ${value} in row ${Math.floor(at / 4)}, column ${at % 4}; remove or correct that row`,
          );
        }
      }
      await expect(exactNeighbors({ data: new Float32Array(3), rows: 2, cols: 2 }, { k: 1, engine })).rejects.toThrow(
        ShapeError,
      );
    });

    test('no rows have no neighbors', async () => {
      const { rows, ids } = await exactNeighbors({ data: new Float32Array(0), rows: 0, cols: 3 }, { k: 2, engine });
      expect([rows, ids.length]).toEqual([0, 0]);
    });
  });
});

test('options out of range are refused', async () => {
  const points = matrixOf(3, 2, () => 1);
  for (const k of [0, -1, 1.5, Number.NaN]) {
    await expect(exactNeighbors(points, { k })).rejects.toThrow(`k must be an integer ≥ 1, got ${k}`);
  }
  for (const workers of [0, 1.5, 257]) {
    await expect(exactNeighbors(points, { k: 1, workers })).rejects.toThrow('workers must be an integer in [1, 256]');
  }
  await expect(exactNeighbors(points, { k: 1, memoryBytes: 0 })).rejects.toThrow('memoryBytes must be > 0');
  await expect(exactNeighbors(points, { k: 1, engine: 'wasm', memoryBytes: 1e5 })).rejects.toThrow(
    'memoryBytes = 100000 is too little for two rows of 2 columns and 1 neighbors, which take ',
  );
  await expect(exactNeighbors(points, { k: 2 ** 30 })).rejects.toThrow('k must be at most 2147483647 / rows');
  const doubles = { ...points, data: Float64Array.from(points.data) as unknown as Float32Array };
  for (const engine of ['wasm', 'native', 'typescript'] as const) {
    await expect(exactNeighbors(doubles, { k: 1, engine })).rejects.toThrow(
      'points must be in a Float32Array, got Float64Array',
    );
  }
  await expect(exactNeighbors(points, { k: 1, engine: 'gpu' as 'wasm' })).rejects.toThrow(
    'engine must be one of auto, wasm, native, typescript, got gpu',
  );
  await expect(exactNeighbors(points, { k: 1, metric: 'toString' as Metric })).rejects.toThrow('metric must be one of');
});

test('small inputs use TypeScript, larger ones do not', async () => {
  const uniform = uniforms(7);
  const engineOf = async (rows: number) =>
    (
      await exactNeighbors(
        matrixOf(rows, 8, () => normal(uniform)),
        { k: 3 },
      )
    ).engine;
  expect(await engineOf(100)).toBe('typescript');
  expect(await engineOf(3000)).not.toBe('typescript');
});

test('a native engine that is passed in receives the rows in place', async () => {
  const points = matrixOf(3, 2, () => 1);
  const calls: unknown[] = [];
  const native = {
    selfJoin: async (data: Float32Array, rows: number, cols: number, options: { k: number; threads: number }) => {
      calls.push([data.buffer === points.data.buffer, rows, cols, options.k, options.threads]);
      return { ids: Int32Array.of(1, 2, 0, 2, 0, 1), distances: new Float32Array(6), fullScans: 2, distinctRows: 1 };
    },
  };
  const found = await exactNeighbors(points, { k: 2, engine: 'native', workers: 5, native });
  expect(calls).toEqual([[true, 3, 2, 2, 5]]);
  expect(found).toMatchObject({ engine: 'native', rows: 3, k: 2, fullScans: 2, distinctRows: 1 });
});

test('the automatic engine is wasm if the native one does not load', async () => {
  const points = matrixOf(3000, 8, uniforms(8));
  const native = () => {
    throw new MissingDependencyError('@rarefy/neighbors-native', 'Build it.', 'It is not built.');
  };
  expect((await exactNeighbors(points, { k: 3, native })).engine).toBe('wasm');
  await expect(exactNeighbors(points, { k: 3, native, engine: 'native' })).rejects.toThrow('It is not built.');
});
