import { type Matrix, type Metric, type Neighbors, NotFiniteError, type RowSource, type WorkEvent } from '@rarefy/core';
import { exactIndex, exactNeighbors } from '@rarefy/neighbors/exact';
import { hnswIndex } from '@rarefy/neighbors/hnsw';
import { clusters, normalPoints, rowsOf } from '@rarefy/testing';
import { describe, expect, test, vi } from 'vitest';
import { casesOf } from './support/exhaustive.js';
import { usearchLibrary, usearchReason } from './support/neighbor-libraries.js';
import { steppedClock } from './support/stepped-clock.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];
const dtypes = ['float32', 'bfloat16', 'int8'] as const;
const spreads = Array.from({ length: 30 }, (_, cluster) => 0.05 + 0.02 * cluster);
const lib = usearchLibrary;
const k = 10;

/** Unit rows of 30 clusters, followed by copies: 60 of one row, and some of other rows. */
const different = 30 * casesOf(45, 80);
const rows = different + 200;
const points = rowsOf(
  clusters(spreads, different / 30, 60, 1),
  [...Array(rows).keys()].map((row) => (row < different ? row : row < different + 60 ? 7 : (row * 13) % different)),
);

/** A source that records what is read from it. */
function sourceOf({ data, rows, cols }: Matrix): RowSource & { readonly reads: (readonly [number, number])[] } {
  const reads: (readonly [number, number])[] = [];
  return {
    rows,
    cols,
    reads,
    async read(start, end) {
      reads.push([start, end]);
      return { data: data.slice(start * cols, end * cols), rows: end - start, cols };
    },
  };
}

/** Expects that each distance is canonical, and that each list is in order, without the row itself or repeated ids. */
async function expectCanonical(rows: Matrix, graph: Neighbors, metric: Metric, sampled: readonly number[]) {
  const exact = exactIndex({ metric, engine: 'typescript' });
  await exact.add(rows);
  const all = await exact.search(rowsOf(rows, sampled), { k: rows.rows });
  sampled.forEach((row, at) => {
    const known = new Map<number, number>();
    for (let c = at * rows.rows; c < (at + 1) * rows.rows; c++) known.set(all.ids[c]!, all.distances[c]!);
    const ids = [...graph.ids.subarray(row * graph.k, (row + 1) * graph.k)];
    const distances = [...graph.distances.subarray(row * graph.k, (row + 1) * graph.k)];
    expect(new Set(ids).size).toBe(graph.k);
    expect(ids).not.toContain(row);
    expect(distances).toEqual(ids.map((id) => known.get(id)));
    const order = ids.map((id, rank) => ({ id, distance: distances[rank]! }));
    expect(order).toEqual([...order].sort((a, b) => a.distance - b.distance || a.id - b.id));
  });
}

describe.skipIf(usearchReason !== '')(`joinRows of hnswIndex${usearchReason}`, () => {
  for (const metric of metrics) {
    test.each(dtypes)(
      `clustered rows with copies, ${metric}, %s: canonical distances and high recall`,
      async (dtype) => {
        const index = await hnswIndex({ metric, dtype, lib });
        const graph = await index.joinRows!(sourceOf(points), { k });
        expect(graph.recall!.sampledRows).toBe(1000);
        expect(graph.recall!.value).toBeGreaterThan(0.98);
        expect(index.size).toBe(0);
        const truth = await exactNeighbors(points, { k, metric });
        let same = 0;
        graph.ids.forEach((id, at) => {
          if (id === truth.ids[at]) same++;
        });
        expect(same / graph.ids.length).toBeGreaterThan(0.95);
        await expectCanonical(points, graph, metric, [0, 7, 1234, different - 1, different + 30, rows - 1]);
      },
    );
  }

  test('returns the same each time, and for blocks of any size', async () => {
    const join = async (blockBytes?: number) =>
      (await hnswIndex({ dtype: 'int8', lib, ...(blockBytes && { blockBytes }) })).joinRows!(sourceOf(points), { k });
    const graph = await join();
    expect(await join()).toEqual(graph);
    expect(await join(2 ** 17)).toEqual(graph);
  });

  test('reads in order and in ranges: each row at most once per block of queries', async () => {
    const source = sourceOf(points);
    const blockBytes = 2 ** 18;
    await (await hnswIndex({ dtype: 'int8', lib, blockBytes })).joinRows!(source, { k });
    const numbers = source.reads.reduce((sum, [start, end]) => sum + (end - start), 0);
    const blocks = Math.ceil(rows / Math.floor(blockBytes / (4 * 64 + 8 * (2 * k + 32))));
    // Each row is read once to scan, sample, add and query it; once per block for candidates; and to measure recall.
    expect(blocks).toBeGreaterThan(1);
    expect(numbers).toBeLessThanOrEqual(rows * (4 + blocks + 2));
    expect(source.reads.every(([start, end]) => 4 * (end - start) * points.cols <= 2 ** 22)).toBe(true);
  });

  test('all pairs of few distinct rows are compared', async () => {
    const few = rowsOf(
      normalPoints(40, 5, 3),
      [...Array(1100).keys()].map((row) => row % 40),
    );
    for (const metric of metrics) {
      const { ids, distances } = await exactNeighbors(few, { k: 30, metric });
      const graph = await (await hnswIndex({ metric, lib })).joinRows!(sourceOf(few), { k: 30 });
      expect(graph).toEqual({ rows: 1100, k: 30, ids, distances, recall: { value: 1, sampledRows: 1100 } });
    }
  });

  test('int8 steps tolerate one huge number, zeros and a mean far from 0', async () => {
    const data = points.data.map((value, at) => value + (at % points.cols < 3 ? 50 : 0));
    data.fill(0, 600, 660);
    data[60 * 1000 + 5] = 1e6;
    const hard = { ...points, data };
    const graph = await (await hnswIndex({ dtype: 'int8', lib })).joinRows!(sourceOf(hard), { k });
    await expectCanonical(hard, graph, 'euclidean', [10, 1000, 1500]);
    expect(graph.recall!.value).toBeGreaterThan(0.95);
  });

  test('warns if it misses many, and ends on an abort and on a NaN', async () => {
    const warnings: string[] = [];
    const onEvent = (event: WorkEvent) => event.type === 'work-warning' && warnings.push(event.code);
    const poor = await hnswIndex({ lib, dtype: 'int8', connectivity: 2, expansionAdd: 2, expansionSearch: 1 });
    const { recall } = await poor.joinRows!(sourceOf(normalPoints(1500, 64, 6)), { k: 3, onEvent });
    expect(recall!.value).toBeLessThan(0.95);
    expect(warnings).toEqual(['low-recall']);
    const reason = new Error('enough');
    const stop = new AbortController();
    steppedClock(10);
    const stopped = (await hnswIndex({ lib })).joinRows!(sourceOf(points), {
      k,
      signal: stop.signal,
      onEvent: ({ type }) => type === 'work-progress' && stop.abort(reason),
    });
    await expect(stopped).rejects.toBe(reason);
    vi.restoreAllMocks();
    const bad = { ...points, data: points.data.slice() };
    bad.data[60 * 77 + 1] = Number.NaN;
    const broken = (await hnswIndex({ lib })).joinRows!(sourceOf(bad), { k });
    await expect(broken).rejects.toBeInstanceOf(NotFiniteError);
    await expect(broken).rejects.toThrow('row 77');
  });

  test('int8 also finds neighbors of rows that were added', async () => {
    for (const metric of metrics) {
      const index = await hnswIndex({ metric, dtype: 'int8', lib });
      await index.add(rowsOf(points, [...Array(different).keys()]));
      // With int8, inner products are less precise than differences, which the other metrics use.
      expect((await index.selfJoin!({ k })).recall!.value).toBeGreaterThan(metric === 'dot' ? 0.93 : 0.98);
    }
  });
});
