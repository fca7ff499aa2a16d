import { InvalidArgumentError, type Matrix, ShapeError, timeSlices } from '@rarefy/core';
import { clusters, normalPoints, rowsOf } from '@rarefy/testing';
import { expect, test } from 'vitest';
import { casesOf } from '../../../../../tests/support/exhaustive.js';
import { clusterDensity, sphericalKMeans } from '../../index.js';
import { distinctRows } from '../../numeric/distinct-rows.js';
import { pickCenters } from './spherical-k-means.js';

const range = (count: number) => Array.from({ length: count }, (_, at) => at);
const rowOf = ({ data, cols }: Matrix, row: number) => data.subarray(row * cols, (row + 1) * cols);
const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, col) => sum + value * y[col]!, 0);
const cosine = (x: Float32Array, y: Float32Array) => dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));

test('the first centers follow k-means++ (chi-square over 20 ordered pairs, false alarm below 1e-6)', async () => {
  const directions = [0, 0.4, 1.2, 2.5, 4].map((angle) => [Math.cos(angle), Math.sin(angle)]);
  const points: Matrix = { data: Float32Array.from(directions.flat()), rows: 5, cols: 2 };
  const copies = [1, 3, 1, 2, 1];
  const repeated = rowsOf(
    points,
    copies.flatMap((count, row) => Array(count).fill(row)),
  );
  const distinct = await distinctRows(repeated, timeSlices(undefined));
  const samples = casesOf(20_000, 200_000);
  const counts = new Float64Array(25);
  for (let seed = 0; seed < samples; seed++) {
    const [first, second] = await pickCenters(distinct, 2, seed, async () => {});
    counts[5 * first! + second!]!++;
  }
  let [statistic, cells] = [0, 0];
  for (const first of range(5)) {
    const rates = range(5).map((row) => copies[row]! * (1 - cosine(rowOf(points, first), rowOf(points, row))));
    const total = rates.reduce((sum, rate) => sum + rate, 0);
    for (const second of range(5)) {
      const expected = samples * (copies[first]! / 8) * (first === second ? 0 : rates[second]! / total);
      if (first === second) expect(counts[5 * first + second]).toBe(0);
      else {
        statistic += (counts[5 * first + second]! - expected) ** 2 / expected;
        cells++;
      }
    }
  }
  expect(cells).toBe(20);
  expect(statistic).toBeLessThan(64); // the 1 - 1e-6 quantile at 19 degrees is 63.7
});

test('finds planted clusters and counts their rows', async () => {
  const points = clusters([0.05, 0.1, 0.15, 0.1], 50, 24, 1);
  const { clusterOf, counts, centers } = await sphericalKMeans(points, { clusters: 4, seed: 2 });
  expect(counts).toEqual(Int32Array.of(50, 50, 50, 50));
  for (const planted of range(4)) expect(new Set(clusterOf.subarray(50 * planted, 50 * planted + 50)).size).toBe(1);
  for (const center of range(4)) expect(dot(rowOf(centers, center), rowOf(centers, center))).toBeCloseTo(1, 6);
});

test('settled clusters: every row is nearest to its center, and a center is the mean direction of its rows', async () => {
  const points = rowsOf(normalPoints(300, 5, 3), [...range(300), ...Array(40).fill(7)]);
  const { clusterOf, counts, centers } = await sphericalKMeans(points, { clusters: 12, rounds: 1000 });
  const sums = range(12).map(() => new Float32Array(5));
  for (const row of range(points.rows)) {
    const own = rowOf(points, row);
    const best = Math.max(...range(12).map((center) => cosine(own, rowOf(centers, center))));
    expect(cosine(own, rowOf(centers, clusterOf[row]!))).toBeGreaterThan(best - 1e-6);
    const length = Math.sqrt(dot(own, own));
    sums[clusterOf[row]!]!.forEach((sum, col, all) => {
      all[col] = sum + own[col]! / length;
    });
  }
  for (const center of range(12)) {
    expect(cosine(sums[center]!, rowOf(centers, center))).toBeGreaterThan(1 - 1e-6);
    expect(counts[center]).toBe(clusterOf.filter((cluster) => cluster === center).length);
  }
});

test('the order and the length of the rows do not matter; the seed does', async () => {
  const points = clusters([0.4, 0.5, 0.6], 60, 8, 5);
  const order = range(180).map((at) => (at * 77) % 180);
  const plain = await sphericalKMeans(points, { clusters: 9, seed: 1 });
  const shuffled = await sphericalKMeans(rowsOf(points, order), { clusters: 9, seed: 1 });
  expect(shuffled.clusterOf).toEqual(Int32Array.from(order, (row) => plain.clusterOf[row]!));
  const longer = await sphericalKMeans({ ...points, data: points.data.map((x) => 4 * x) }, { clusters: 9, seed: 1 });
  expect(longer).toEqual(plain);
  expect((await sphericalKMeans(points, { clusters: 9, seed: 2 })).clusterOf).not.toEqual(plain.clusterOf);
});

test('more clusters than directions, zero rows, and a single row', async () => {
  const points: Matrix = { data: Float32Array.from([1, 0, 3, 0, 0, 2, 0, 0, -1, 0, 0, 0]), rows: 6, cols: 2 };
  const { clusterOf, counts, centers } = await sphericalKMeans(points, { clusters: 50 });
  expect(clusterOf[0]).toBe(clusterOf[1]);
  expect(new Set([0, 2, 4].map((row) => clusterOf[row])).size).toBe(3);
  expect(clusterOf[3]).toBe(clusterOf[5]);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(6);
  expect(centers.rows).toBeLessThanOrEqual(4);
  const one = await sphericalKMeans(rowsOf(points, [4]), { clusters: 3 });
  expect([one.clusterOf, one.counts]).toEqual([Int32Array.of(0), Int32Array.of(1)]);
});

test('clusterDensity is the share of the others in the same cluster, and scores by the nearest center', async () => {
  const points = clusters([0.05, 0.1], 30, 12, 2);
  const uneven = rowsOf(points, [...range(30), ...range(10).map((at) => 30 + at)]);
  const estimator = clusterDensity({ clusters: 2 });
  expect(estimator.clusters).toBeUndefined();
  const density = await estimator.fit(uneven);
  expect(density.subarray(0, 30)).toEqual(new Float64Array(30).fill(29 / 39));
  expect(density.subarray(30)).toEqual(new Float64Array(10).fill(9 / 39));
  expect(estimator.clusters!.counts.slice().sort()).toEqual(Int32Array.of(10, 30));
  expect(await estimator.score(rowsOf(points, [3, 50, 59]))).toEqual(Float64Array.of(30 / 40, 10 / 40, 10 / 40));
});

test('lets the event loop run, and rejects with the reason of its signal', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason));
  const points = normalPoints(4000, 64, 1);
  await expect(sphericalKMeans(points, { clusters: 200, signal: controller.signal })).rejects.toBe(reason);
});

test('refuses invalid options and points', async () => {
  const points = normalPoints(10, 3, 1);
  for (const clusters of [0, 1.5, Number.NaN]) {
    expect(() => clusterDensity({ clusters })).toThrow(`clusters must be an integer ≥ 1, got ${clusters}`);
    await expect(sphericalKMeans(points, { clusters })).rejects.toThrow(InvalidArgumentError);
  }
  await expect(sphericalKMeans(points, { clusters: 2, rounds: 0 })).rejects.toThrow('rounds must be an integer ≥ 1');
  await expect(sphericalKMeans(points, { clusters: 2, seed: 0.5 })).rejects.toThrow('seed must be a safe integer');
  expect(() => clusterDensity({ seed: 0.5 })).toThrow('seed must be a safe integer');
  await expect(sphericalKMeans({ ...points, rows: 9 }, { clusters: 2 })).rejects.toThrow(ShapeError);
  await expect(sphericalKMeans(rowsOf(points, []), { clusters: 2 })).rejects.toThrow('there are no rows to cluster');
});
