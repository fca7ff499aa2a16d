import {
  counterRandom,
  InvalidArgumentError,
  type Matrix,
  type Metric,
  type Neighbors,
  NotFiniteError,
  type RowSource,
  ShapeError,
  selfJoin,
  type WorkEvent,
} from '@rarefy/core';
import { clusters, neighborIndexChecks, normalPoints, rowsOf } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { describe, expect, test } from 'vitest';
import { casesOf } from '../../../../../tests/support/exhaustive.js';
import { exactNeighbors } from '../../exact/exact.js';
import { measureRecall } from '../../recall/measure-recall.js';
import { nnDescent, nnDescentIndex } from './nn-descent.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];
const spreads = Array.from({ length: 40 }, (_, cluster) => 0.1 + 0.01 * cluster);
/** 4,000 unit rows in 40 overlapping clusters. */
const points = clusters(spreads, 100, 24, 1);

/** Expects that both graphs have the same bytes. Comparing so many numbers one by one would take seconds. */
function expectSame(actual: Neighbors, expected: Neighbors): void {
  const bytes = ({ ids, distances }: Neighbors) =>
    [ids, distances].map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  expect([actual.rows, actual.k, actual.ids.length]).toEqual([expected.rows, expected.k, expected.ids.length]);
  bytes(actual).forEach((part, at) => {
    expect(part.equals(bytes(expected)[at]!)).toBe(true);
  });
}

for (const metric of metrics) {
  const variants = [
    () => nnDescentIndex({ metric, seed: 1 }),
    () => nnDescentIndex({ metric, trees: 3 }),
    () => nnDescentIndex({ metric, width: 40 }),
    () => nnDescentIndex({ metric, candidates: 5 }),
    () => nnDescentIndex({ metric, rounds: 2 }),
  ];
  describeChecks(
    `nnDescentIndex, ${metric}`,
    neighborIndexChecks({
      create: () => nnDescentIndex({ metric }),
      variants,
      fingerprint: `nn-descent-index:metric=${metric},seed=0,trees=12,width=auto,candidates=auto,rounds=30`,
    }),
  );
}

describe.each(metrics)('%s', (metric) => {
  test('finds nearly all neighbors, at their canonical distances, in order', async () => {
    const graph = await nnDescent(points, { k: 10, metric });
    expect(graph.recall.sampledRows).toBe(1000);
    expect(graph.recall.value).toBeGreaterThan(0.98);
    expect(await measureRecall(points, graph, { metric })).toEqual(graph.recall);
    const exact = await exactNeighbors(points, { k: 60, metric });
    let known = 0;
    let wrong = 0;
    for (let row = 0; row < points.rows; row++) {
      const distances = new Map<number, number>();
      for (let at = row * 60; at < (row + 1) * 60; at++) distances.set(exact.ids[at]!, exact.distances[at]!);
      for (let at = row * 10; at < (row + 1) * 10; at++) {
        const distance = distances.get(graph.ids[at]!);
        if (distance !== undefined) known++;
        if (distance !== undefined && graph.distances[at] !== distance) wrong++;
        if (at === row * 10) continue;
        const isFarther = graph.distances[at]! > graph.distances[at - 1]!;
        const isTie = graph.distances[at] === graph.distances[at - 1] && graph.ids[at]! > graph.ids[at - 1]!;
        if (!isFarther && !isTie) wrong++;
      }
    }
    expect(wrong).toBe(0);
    expect(known).toBeGreaterThan(0.98 * graph.ids.length);
  });

  test('returns the same bytes on this thread and on 1, 2, 4 and 8 workers, from a matrix and from rows in blocks', async () => {
    const expected = await nnDescent(points, { k: 7, metric, seed: 3 });
    for (let run = 0; run < casesOf(1, 5); run++) {
      for (const workers of [1, 2, 4, 8]) {
        expectSame(await nnDescent(points, { k: 7, metric, seed: 3, workers }), expected);
      }
    }
    const { graph, reads } = await fromSource(points, { k: 7, metric, seed: 3, blockBytes: 250_000 });
    expectSame(graph, expected);
    expect(graph.recall).toEqual(expected.recall);
    expect(reads).toBeGreaterThan(6);
    const rough = async (seed: number) =>
      Buffer.from((await nnDescent(points, { k: 7, metric, seed, trees: 1, rounds: 1 })).ids.buffer);
    expect((await rough(4)).equals(await rough(3))).toBe(false);
  });
});

/** The graph of rows from a source, and the number of reads. */
async function fromSource({ data, rows, cols }: Matrix, options: Parameters<typeof nnDescent>[1]) {
  let reads = 0;
  const source: RowSource = {
    rows,
    cols,
    async read(start, end) {
      reads++;
      return { data: data.slice(start * cols, end * cols), rows: end - start, cols };
    },
  };
  return { graph: await nnDescent(source, options), reads };
}

test('rows that repeat list their copies first, and never themselves', async () => {
  const random = counterRandom(5);
  const order = Array.from({ length: 6000 }, (_, at) => (at < 3600 ? at : Math.floor(3600 * random.uniform(at) ** 2)));
  const repeated = rowsOf(points, order);
  const graph = await nnDescent(repeated, { k: 10 });
  const exact = await exactNeighbors(repeated, { k: 10 });
  expect(graph.recall.value).toBeGreaterThan(0.98);
  let equal = 0;
  let wrong = 0;
  for (let row = 0; row < 6000; row++) {
    const own = graph.ids.subarray(row * 10, row * 10 + 10);
    if (own.includes(row) || new Set(own).size < 10) wrong++;
    for (let at = row * 10; at < row * 10 + 10 && exact.distances[at] === 0; at++) {
      if (graph.distances[at] !== 0 || graph.ids[at] !== exact.ids[at]) wrong++;
    }
    if (own.every((id, at) => id === exact.ids[row * 10 + at])) equal++;
  }
  expect(wrong).toBe(0);
  expect(equal).toBeGreaterThan(0.8 * 6000);
});

test.each([
  ['far from the origin', (x: number) => 1000 + x],
  ['tiny', (x: number) => 1e-30 * x],
  ['huge', (x: number) => 1e17 * x],
  ['of lengths over two decades', (x: number, at: number) => x * 10 ** ((Math.floor(at / 24) % 3) - 1)],
  ['zeros in part', (x: number, at: number) => (Math.floor(at / 24) % 3 === 0 ? 0 : x)],
])('values %s', async (_name, value) => {
  const changed = { ...points, data: points.data.map(value) };
  for (const metric of ['euclidean', 'cosine'] as const) {
    const graph = await nnDescent(changed, { k: 10, metric });
    expect(graph.recall.value).toBeGreaterThan(0.95);
    expect(await measureRecall(changed, graph, { metric })).toEqual(graph.recall);
  }
});

test.each([1, 3, 8, 33])('rows of %d columns', async (cols) => {
  const narrow = normalPoints(3000, cols, cols);
  const graph = await nnDescent(narrow, { k: 5 });
  expect(graph.recall.value).toBeGreaterThan(cols > 16 ? 0.6 : 0.98);
  expect(await measureRecall(narrow, graph)).toEqual(graph.recall);
});

test('clusters that are far apart, and some of them smaller than k', async () => {
  const apart = normalPoints(3000, 16, 9);
  for (let row = 0; row < 3000; row++) apart.data[row * 16] = 30 * (row < 30 ? Math.floor(row / 5) + 20 : row % 11);
  const graph = await nnDescent(apart, { k: 10 });
  expect(graph.recall.value).toBeGreaterThan(0.97);
  expect(await measureRecall(apart, graph)).toEqual(graph.recall);
});

test('differences far below the extent of the data are lost in int16, and recall shows it', async () => {
  const wide = { ...points, data: points.data.map((x, at) => x * 10 ** ((Math.floor(at / 24) % 7) - 3)) };
  const graph = await nnDescent(wide, { k: 10 });
  expect(graph.recall.value).toBeLessThan(0.95);
  expect(await measureRecall(wide, graph)).toEqual(graph.recall);
});

test('few rows, k above their number, and equal rows have exact results', async () => {
  for (const [rows, k] of [
    [0, 3],
    [1, 3],
    [2, 5],
    [300, 299],
    [300, 400],
    [1100, 700],
  ] as const) {
    const few = normalPoints(rows, 3, rows);
    const graph = await nnDescent(few, { k });
    expectSame(graph, await exactNeighbors(few, { k }));
    expect(graph.recall).toEqual({ value: 1, sampledRows: rows });
  }
  const same = rowsOf(points, Array(3000).fill(7));
  const graph = await nnDescent(same, { k: 4 });
  expect(Array.from(graph.ids.subarray(0, 8))).toEqual([1, 2, 3, 4, 0, 2, 3, 4]);
  expect(graph.distances.every((distance) => distance === 0)).toBe(true);
});

test('the reported recall is within 0.01 of the truth, with a warning below 0.95', async () => {
  const sets = [
    normalPoints(2500, 384, 1), // no structure at all: every approximate search fails here
    clusters(spreads, 60, 32, 2),
    ...Array.from({ length: 18 }, (_, set) =>
      set % 2 === 0
        ? normalPoints(2500, 4 + 6 * set, 10 + set)
        : clusters(spreads.slice(0, 5 + set), 150, 8 + 3 * set, 10 + set),
    ),
  ];
  for (const set of sets.slice(0, casesOf(4, sets.length))) {
    const warnings: WorkEvent[] = [];
    const onEvent = (event: WorkEvent) => event.type === 'work-warning' && warnings.push(event);
    const graph = await nnDescent(set, { k: 10, onEvent });
    const truth = await measureRecall(set, graph, { sample: set.rows });
    expect(Math.abs(graph.recall.value - truth.value)).toBeLessThanOrEqual(0.01);
    expect(warnings.length).toBe(graph.recall.value < 0.95 ? 1 : 0);
    if (set === sets[0]) expect(warnings).toMatchObject([{ task: 'nn-descent', code: 'low-recall' }]);
  }
});

test('bad input and options out of range are refused', async () => {
  const bad = { ...points, data: points.data.slice() };
  bad.data[24 * 1234 + 5] = Number.NaN;
  await expect(nnDescent(bad, { k: 3 })).rejects.toBeInstanceOf(NotFiniteError);
  await expect(nnDescent(bad, { k: 3 })).rejects.toThrow('points have NaN in row 1234, column 5');
  await expect(nnDescent({ ...points, rows: 10 }, { k: 3 })).rejects.toBeInstanceOf(ShapeError);
  for (const wrong of [
    { k: 0 },
    { k: 3, width: 2 },
    { k: 3, candidates: 61 },
    { k: 3, trees: 0 },
    { k: 3, rounds: 1.5 },
    { k: 3, seed: 0.5 },
    { k: 3, workers: 0 },
    { k: 3, recallSample: 0 },
    { k: 3, metric: 'toString' as Metric },
  ]) {
    await expect(nnDescent(points, wrong)).rejects.toBeInstanceOf(InvalidArgumentError);
  }
});

test('an abort stops the work with its reason, on this thread and on workers', async () => {
  const many = normalPoints(20_000, 24, 1);
  for (const workers of [undefined, 2]) {
    const controller = new AbortController();
    const reason = new Error('enough');
    const events: string[] = [];
    const running = nnDescent(many, {
      k: 10,
      ...(workers === undefined ? {} : { workers }),
      signal: controller.signal,
      onEvent: ({ type }) => {
        if (events.push(type) === 3) controller.abort(reason); // the second round begins
      },
    });
    await expect(running).rejects.toBe(reason);
    expect(events).not.toContain('work-end');
    await expect(nnDescent(many, { k: 10, signal: controller.signal })).rejects.toBe(reason);
  }
});

test('the index joins rows that were added in parts, and can be searched', async () => {
  const index = nnDescentIndex({ seed: 3 });
  for (let start = 0; start < 4000; start += 1700) {
    await index.add(
      rowsOf(
        points,
        [...Array(Math.min(1700, 4000 - start)).keys()].map((row) => start + row),
      ),
    );
  }
  const expected = await nnDescent(points, { k: 7, seed: 3 });
  const graph = await index.selfJoin!({ k: 7 });
  expectSame(graph, expected);
  expect(graph.recall).toEqual(expected.recall);
  expectSame(await selfJoin(nnDescentIndex({ seed: 3 }), points, { k: 7 }), expected);
  const { ids } = await index.search(rowsOf(points, [3999, 17]), { k: 1 });
  expect(Array.from(ids)).toEqual([3999, 17]);
});
