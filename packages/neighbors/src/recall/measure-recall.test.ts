import { counterRandom, InvalidArgumentError, type Metric, type Neighbors, ShapeError, selfJoin } from '@rarefy/core';
import { clusters, normalPoints, rowsOf } from '@rarefy/testing';
import { describe, expect, test } from 'vitest';
import { exactIndex } from '../exact/exact.js';
import { sampleRows } from '../rows/sample-rows.js';
import { measureRecall } from './measure-recall.js';

const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];

/** The graph without a random `share` of the neighbors; the next nearest take their places. */
async function thinned(
  points: Parameters<typeof selfJoin>[1],
  metric: Metric,
  k: number,
  share: number,
): Promise<Neighbors> {
  const wide = await selfJoin(exactIndex({ metric }), points, { k: 2 * k });
  const random = counterRandom(11);
  const ids = new Int32Array(points.rows * k).fill(-1);
  const distances = new Float32Array(points.rows * k).fill(Infinity);
  for (let row = 0; row < points.rows; row++) {
    let to = row * k;
    for (let from = row * 2 * k; from < (row + 1) * 2 * k && to < (row + 1) * k; from++) {
      if (random.uniform(from) < share) continue;
      ids[to] = wide.ids[from]!;
      distances[to++] = wide.distances[from]!;
    }
  }
  return { rows: points.rows, k, ids, distances };
}

describe.each(metrics)('%s', (metric) => {
  test('an exact graph has recall 1, even with duplicates, ties and zeros', async () => {
    const points = rowsOf(clusters([0.1, 0.4], 40, 5, 1), [...Array(80).keys(), 0, 0, 0, 7, 7, 50]);
    points.data.fill(0, 10, 25);
    const graph = await selfJoin(exactIndex({ metric }), points, { k: 4 });
    expect(await measureRecall(points, graph, { metric })).toEqual({ value: 1, sampledRows: 86 });
  });

  test('every missed neighbor counts once', async () => {
    const points = normalPoints(400, 6, 2);
    const exact = await selfJoin(exactIndex({ metric }), points, { k: 8 });
    const thin = await thinned(points, metric, 8, 0.2);
    let kept = 0;
    for (let row = 0; row < 400; row++) {
      const truth = new Set(exact.ids.subarray(row * 8, row * 8 + 8));
      for (const id of thin.ids.subarray(row * 8, row * 8 + 8)) if (truth.has(id)) kept++;
    }
    expect(kept).toBeLessThan(0.9 * 3200);
    expect(await measureRecall(points, thin, { metric })).toEqual({ value: kept / 3200, sampledRows: 400 });
  });
});

test('a sample estimates the recall: deterministic for a seed, near the truth for every seed', async () => {
  const points = normalPoints(1500, 6, 3);
  const thin = await thinned(points, 'euclidean', 8, 0.1);
  const truth = (await measureRecall(points, thin, { sample: 1500 })).value;
  // 300 rows x 8: standard error 0.006 at most, so 0.03 is five of them: below one failure in 10^5 with these 10 fixed seeds.
  for (let seed = 0; seed < 10; seed++) {
    const { value, sampledRows } = await measureRecall(points, thin, { sample: 300, seed });
    expect(sampledRows).toBe(300);
    expect(Math.abs(value - truth)).toBeLessThan(0.03);
    expect((await measureRecall(points, thin, { sample: 300, seed })).value).toBe(value);
  }
});

test('a missing neighbor counts as missed, unless there are no more rows', async () => {
  const points = normalPoints(5, 3, 4);
  const graph = await selfJoin(exactIndex(), points, { k: 4 });
  expect((await measureRecall(points, graph)).value).toBe(1);
  graph.ids[3] = -1;
  graph.distances[3] = Infinity;
  expect((await measureRecall(points, graph)).value).toBe(19 / 20);
  const index = exactIndex();
  await index.add(points);
  expect((await measureRecall(points, await index.selfJoin!({ k: 9 }))).value).toBe(1);
  const none = { data: new Float32Array(3), rows: 1, cols: 3 };
  const alone = { rows: 1, k: 2, ids: Int32Array.of(-1, -1), distances: Float32Array.of(Infinity, Infinity) };
  expect(await measureRecall(none, alone)).toEqual({ value: 1, sampledRows: 1 });
});

test('options out of range and graphs of other rows are refused, and an abort stops the work', async () => {
  const points = normalPoints(20, 3, 5);
  const graph = await selfJoin(exactIndex(), points, { k: 2 });
  await expect(measureRecall(points, graph, { sample: 0 })).rejects.toBeInstanceOf(InvalidArgumentError);
  await expect(measureRecall(points, graph, { metric: 'l1' as Metric })).rejects.toBeInstanceOf(InvalidArgumentError);
  await expect(measureRecall(points, { ...graph, rows: 10 })).rejects.toBeInstanceOf(ShapeError);
  const reason = new Error('enough');
  await expect(measureRecall(points, graph, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('sampled rows are distinct, in order, and equally likely', () => {
  const counts = new Float64Array(30);
  for (let seed = 0; seed < 3000; seed++) {
    const rows = sampleRows(30, 10, seed);
    expect(rows.length).toBe(10);
    rows.forEach((row, at) => {
      if (at > 0) expect(row).toBeGreaterThan(rows[at - 1]!);
      counts[row]!++;
    });
  }
  // Each count is binomial(3000, 1/3): standard deviation 25.8; five of them, with fixed seeds.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(130);
  expect(Array.from(sampleRows(3, 10, 1))).toEqual([0, 1, 2]);
});
