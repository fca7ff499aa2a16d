import { counterRandom, type Metric, type Neighbors, NotFiniteError } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { type InstructionSet, instructionSets, selfJoin } from '@rarefy/neighbors-native';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { casesOf, isExhaustive } from './support/exhaustive.js';
import { nativeReason } from './support/native-addon.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];
const sets = nativeReason === '' ? instructionSets() : [];

/** A value of one kind; `pick` is a second uniform number. */
const kinds: Readonly<Record<string, (uniform: number, pick: number) => number>> = {
  'whole numbers': (u) => Math.floor(u * 3),
  bits: (u) => +(u < 0.5),
  gaussian: (u, pick) => Math.sqrt(-2 * Math.log(u + 1e-12)) * Math.cos(2 * Math.PI * pick),
  'far from zero': (u) => 1000 + u,
  'mostly zero, half of it -0': (u, pick) => (u < 0.97 ? (pick < 0.5 ? 0 : -0) : 1),
  'all zero': (_, pick) => (pick < 0.5 ? 0 : -0),
  '1e-45': (u) => Math.floor(u * 100) * 1.4e-45,
  '1e-30': (u) => (u - 0.3) * 1e-30,
  '1e-20': (u) => u * 1e-20,
  '1e17': (u) => (u - 0.5) * 1e17,
  '1e30': (u) => (u - 0.3) * 1e30,
  'largest float32': (u) => (u - 0.5) * 6.8e38,
  'six decades': (u, pick) => u * 10 ** (pick * 6 - 3),
};

const shapes = [
  { rows: 1, cols: 3, k: 2 },
  { rows: 2, cols: 1, k: 1 },
  { rows: 5, cols: 3, k: 20 },
  { rows: 40, cols: 3, k: 39 },
  { rows: 500, cols: 2, k: 7 },
  { rows: casesOf(420, 900), cols: 17, k: 20 },
  { rows: casesOf(400, 700), cols: 33, k: 5 },
  { rows: 450, cols: 8, k: 100 },
];

function values(count: number, seed: number, kind: (uniform: number, pick: number) => number): Float32Array {
  const uniforms = counterRandom(seed);
  return Float32Array.from({ length: count }, (_, at) => kind(uniforms.uniform(2 * at), uniforms.uniform(2 * at + 1)));
}

async function defined(data: Float32Array, rows: number, cols: number, k: number, metric: Metric): Promise<Neighbors> {
  const index = exactIndex({ metric, engine: 'typescript' });
  await index.add({ data, rows, cols });
  return index.selfJoin!({ k });
}

function sameBytes(actual: Pick<Neighbors, 'ids' | 'distances'>, expected: Neighbors): boolean {
  const bytes = (values: Int32Array | Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return bytes(actual.ids).equals(bytes(expected.ids)) && bytes(actual.distances).equals(bytes(expected.distances));
}

describe.skipIf(nativeReason !== '')(`the native self-join${nativeReason}`, { timeout: 300_000 }, () => {
  describe.each(metrics)('%s', (metric) => {
    test.each(Object.keys(kinds))(
      '%s: the bytes of exactIndex for every instruction set and number of threads',
      async (name) => {
        for (const [seed, { rows, cols, k }] of shapes.entries()) {
          const data = values(rows * cols, seed, kinds[name]!);
          const expected = await defined(data, rows, cols, k, metric);
          for (const instructionSet of sets) {
            for (const threads of isExhaustive ? [1, 2, 4, 8] : [2 ** (seed % 4)]) {
              const joined = await selfJoin(data, rows, cols, { k, metric, threads, instructionSet });
              expect(sameBytes(joined, expected), `${rows} x ${cols}, k = ${k}, ${instructionSet}, ${threads}`).toBe(
                true,
              );
            }
          }
        }
      },
    );

    test('more blocks than threads: the same bytes and the same amount of work in 20 runs', async () => {
      const [rows, cols, k] = [casesOf(1700, 3500), 20, 10];
      const data = values(rows * cols, 5, kinds.gaussian!);
      for (let row = 0; row < rows; row += 3) data.copyWithin(row * cols, (row % 30) * cols, ((row % 30) + 1) * cols);
      const expected = await defined(data, rows, cols, k, metric);
      const first = await selfJoin(data, rows, cols, { k, metric, threads: 1, instructionSet: 'generic' });
      expect(first.distinctRows).toBeLessThan(rows * 0.7);
      for (let run = 0; run < casesOf(3, 20); run++) {
        for (const instructionSet of sets) {
          const joined = await selfJoin(data, rows, cols, { k, metric, threads: 2 ** (run % 4), instructionSet });
          expect(sameBytes(joined, expected)).toBe(true);
          expect([joined.fullScans, joined.distinctRows]).toEqual([first.fullScans, first.distinctRows]);
        }
      }
      expect(first.fullScans).toBe(0);
    });

    test('arbitrary values', async () => {
      const matrices = fc
        .record({ rows: fc.integer({ min: 1, max: 60 }), cols: fc.integer({ min: 1, max: 12 }) })
        .chain(({ rows, cols }) =>
          fc
            .array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
              minLength: rows * cols,
              maxLength: rows * cols,
            })
            .map((all) => ({ data: Float32Array.from(all), rows, cols })),
        );
      await fc.assert(
        fc.asyncProperty(
          matrices,
          fc.integer({ min: 1, max: 70 }),
          fc.constantFrom(...sets),
          async ({ data, rows, cols }, k, instructionSet) => {
            const joined = await selfJoin(data, rows, cols, { k, metric, threads: 2, instructionSet });
            expect(sameBytes(joined, await defined(data, rows, cols, k, metric))).toBe(true);
          },
        ),
        { numRuns: casesOf(100, 1000), seed: 1 },
      );
    });

    // If the largest row widened the bounds of all rows, almost every row would be compared with all others.
    test('a few huge rows cause no full scan of small rows', async () => {
      const [rows, cols, k] = [3000, 24, 10];
      const data = values(rows * cols, 6, kinds.gaussian!);
      for (let row = 0; row < rows; row += 100) {
        for (let at = row * cols; at < (row + 1) * cols; at++) data[at]! *= 10 ** (1 + ((row / 100) % 6));
      }
      const expected = await defined(data, rows, cols, k, metric);
      const joined = await selfJoin(data, rows, cols, { k, metric, threads: 2 });
      expect(sameBytes(joined, expected)).toBe(true);
      expect(joined.fullScans).toBeLessThanOrEqual(rows / 100);
    });

    test('lengths over six decades cause no full scan', async () => {
      const [rows, cols, k] = [casesOf(2500, 4000), 24, 10];
      const data = values(rows * cols, 11, kinds.gaussian!);
      for (let at = 0; at < data.length; at++) data[at]! *= 10 ** (((Math.floor(at / cols) * 7919) % 6001) / 1000 - 3);
      const expected = await defined(data, rows, cols, k, metric);
      const joined = await selfJoin(data, rows, cols, { k, metric, threads: 2 });
      expect(sameBytes(joined, expected)).toBe(true);
      expect(joined.fullScans).toBe(0);
    });
  });

  test('rows that int16 products cannot distinguish are compared with all others', async () => {
    const [rows, cols, k] = [2600, 4, 3];
    const data = values(rows * cols, 7, (u) => 1 + u * 1e-5);
    const expected = await defined(data, rows, cols, k, 'dot');
    const joined = await selfJoin(data, rows, cols, { k, metric: 'dot', threads: 3 });
    expect(sameBytes(joined, expected)).toBe(true);
    expect(joined.fullScans).toBeGreaterThan(rows / 2);
  });

  test('accepts shared memory, a part of a larger array, and zero rows', async () => {
    const [rows, cols, k, metric] = [300, 8, 3, 'euclidean'] as const;
    const data = values(rows * cols, 8, kinds.gaussian!);
    const expected = await defined(data, rows, cols, k, metric);
    const shared = new Float32Array(new SharedArrayBuffer(4 * rows * cols + 8), 4, rows * cols);
    shared.set(data);
    expect(sameBytes(await selfJoin(shared, rows, cols, { k, metric, threads: 2 }), expected)).toBe(true);
    const none = await selfJoin(new Float32Array(0), 0, 5, { k, metric, threads: 2 });
    expect(none).toEqual({ ids: new Int32Array(0), distances: new Float32Array(0), fullScans: 0, distinctRows: 0 });
  });

  test('a NaN or infinity is refused with its row and column', async () => {
    const data = new Float32Array(1000);
    data[997] = Number.NaN;
    data[765] = Number.NEGATIVE_INFINITY;
    const joined = selfJoin(data, 100, 10, { k: 1, metric: 'dot', threads: 2 });
    await expect(joined).rejects.toBeInstanceOf(NotFiniteError);
    await expect(joined).rejects.toThrow('data have -Infinity in row 76, column 5; remove or correct that row');
  });

  test('refuses an instruction set that the CPU lacks', async () => {
    const instructionSet = 'neon' as InstructionSet;
    const joined = selfJoin(new Float32Array(4), 4, 1, { k: 1, metric: 'dot', threads: 1, instructionSet });
    await expect(joined).rejects.toThrow('instructionSet must be one of generic');
  });

  test('an abort rejects with its reason while timers run; the next join works', async () => {
    const [rows, cols] = [30_000, 64];
    const data = values(rows * cols, 9, kinds.gaussian!);
    for (const metric of metrics) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const events: string[] = [];
      let ticks = 0;
      // The third tick comes only if the join does not block the event loop.
      const timer = setInterval(() => ++ticks === 3 && controller.abort(reason), 1);
      const joined = selfJoin(data, rows, cols, {
        k: 10,
        metric,
        threads: 2,
        instructionSet: 'generic',
        signal: controller.signal,
        onEvent: ({ type }) => events.push(type),
      });
      await expect(joined).rejects.toBe(reason);
      clearInterval(timer);
      expect(events[0]).toBe('work-start');
      expect(events).not.toContain('work-end');
    }
    const small = data.subarray(0, 64 * 50);
    const again = await selfJoin(small, 50, 64, { k: 2, metric: 'dot', threads: 1 });
    expect(sameBytes(again, await defined(small, 50, 64, 2, 'dot'))).toBe(true);
  });

  test('reports its progress in rows', async () => {
    const events: string[] = [];
    const data = values(800, 10, kinds.gaussian!);
    await selfJoin(data, 200, 4, {
      k: 2,
      metric: 'cosine',
      threads: 2,
      onEvent: (event) => events.push('done' in event ? `${event.type} ${event.done}` : event.type),
    });
    expect(events[0]).toBe('work-start');
    expect(events.slice(-2)).toEqual(['work-progress 200', 'work-end 200']);
  });
});
