import { type Matrix, type Metric, NotFiniteError, type RowSource, selfJoin, type WorkEvent } from '@rarefy/core';
import { clusters, normalPoints, rowsOf } from '@rarefy/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { blockJoin } from './block-join.js';
import { exactIndex } from './exact-index.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];

/** The rows of a matrix, and how many were asked for at a time. */
function sourceOf({ data, rows, cols }: Matrix): RowSource & { readonly blocks: number[] } {
  const blocks: number[] = [];
  return {
    rows,
    cols,
    blocks,
    async read(start, end) {
      blocks.push(end - start);
      return { data: data.slice(start * cols, end * cols), rows: end - start, cols };
    },
  };
}

/** Memory for blocks of 16 rows, the least. */
const memoryBytes = 1;

async function expectSame(points: Matrix, k: number, metric: Metric): Promise<void> {
  const source = sourceOf(points);
  const found = await blockJoin(source, { k, metric, memoryBytes });
  const expected = await selfJoin(exactIndex({ metric }), points, { k });
  expect(found).toEqual(expected);
  expect(Math.max(...source.blocks)).toBeLessThanOrEqual(16);
}

test.each(metrics)('%s: ids and distances of the plain comparison of all pairs, to the bit', async (metric) => {
  await expectSame(normalPoints(200, 37, 1), 5, metric);
  await expectSame(clusters([0.01, 0.3, 1], 40, 129, 2), 10, metric);
  await expectSame(normalPoints(33, 1, 3), 32, metric);
  await expectSame(normalPoints(2, 2500, 4), 1, metric);
  const few = normalPoints(20, 6, 5);
  await expectSame(rowsOf(few, [...Array(30).fill(0), ...Array(20).keys(), ...Array(40).fill(7)]), 8, metric);
});

test('hard rows: scales from 1e-30 to 1e30, offsets, zero rows, ties, single huge entries', async () => {
  const rows = fc.record({
    rows: fc.integer({ min: 2, max: 60 }),
    cols: fc.integer({ min: 1, max: 40 }),
    kind: fc.constantFrom('normal', 'bits', 'mostly zero', 'spiked', 'mixed scales', 'equal', 'subnormal'),
    scale: fc.constantFrom(1e-30, 1e-3, 1, 1e15),
    offset: fc.constantFrom(0, 0, 1000),
    metric: fc.constantFrom(...metrics),
    k: fc.integer({ min: 1, max: 59 }),
    seed: fc.integer({ min: 0, max: 1e6 }),
  });
  await fc.assert(
    fc.asyncProperty(rows, async ({ rows, cols, kind, scale, offset, metric, k, seed }) => {
      const { data } = normalPoints(rows, cols, seed);
      data.forEach((value, at) => {
        const row = Math.floor(at / cols);
        if (kind === 'bits') data[at] = value > 0 ? 1 : 0;
        if (kind === 'mostly zero' && value < 1.5) data[at] = at % 2 ? 0 : -0;
        if (kind === 'spiked' && at % cols === row % cols) data[at] = value * 1e4;
        if (kind === 'mixed scales') data[at] = value * 10 ** (row % 7);
        if (kind === 'equal') data[at] = 0.1 * (at % cols);
        if (kind === 'subnormal') data[at] = value * 1e-44;
        else data[at] = (data[at]! + offset) * scale;
      });
      await expectSame({ data, rows, cols }, Math.min(k, rows - 1), metric);
    }),
    { seed: 8, numRuns: casesOf(200, 2000) },
  );
});

test('few pairs are compared in full: the bound is sharp, also for many columns far from the origin', async () => {
  const points = clusters([0.4, 0.5, 0.6, 0.7], 60, 5000, 6);
  points.data.forEach((value, at) => {
    points.data[at] = value + 0.05 * Math.sin(at % points.cols);
  });
  const messages: string[] = [];
  const onEvent = (event: WorkEvent) => event.type === 'work-message' && messages.push(event.message);
  await blockJoin(sourceOf(points), { k: 3, memoryBytes: 2 ** 21, onEvent });
  const [compared, all] = messages[0]!.match(/\d+/g)!.map(Number);
  expect(all).toBe((240 * 239) / 2);
  expect(compared).toBeLessThan(0.2 * all!);
});

test('refuses a k without enough rows, names the row of a NaN, and stops with the reason of its signal', async () => {
  const points = normalPoints(40, 3, 7);
  for (const k of [0, 1.5, 40])
    await expect(blockJoin(sourceOf(points), { k })).rejects.toThrow(`k = ${k}`.slice(0, 1));
  await expect(blockJoin(sourceOf(points), { k: 40 })).rejects.toThrow('k = 40 neighbours need at least 41 rows');
  const spoiled = { ...points, data: points.data.slice() };
  spoiled.data[35 * 3 + 1] = Number.NaN;
  const failing = blockJoin(sourceOf(spoiled), { k: 2, memoryBytes });
  await expect(failing).rejects.toThrow(NotFiniteError);
  await expect(failing).rejects.toThrow('row 35 holds NaN in column 1');
  const reason = new Error('enough');
  const controller = new AbortController();
  const source = sourceOf(normalPoints(300, 300, 8));
  const read: RowSource['read'] = (start, end, options) => {
    if (start > 0) controller.abort(reason);
    return source.read(start, end, options);
  };
  await expect(blockJoin({ ...source, read }, { k: 1, memoryBytes, signal: controller.signal })).rejects.toBe(reason);
});
