import { InvalidArgumentError, type Matrix, type NeighborIndex, NotFiniteError } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { clusters, densityEstimatorChecks, naiveDensity, naiveIndex, normalPoints, rowsOf } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { describe, expect, test } from 'vitest';
import { knnDistance, knnSimilarity } from './knn.js';

const byCosine = () => exactIndex({ metric: 'cosine' });

describeChecks('knnDistance', densityEstimatorChecks({ create: () => knnDistance() }));
describeChecks(
  'knnDistance by cosine',
  densityEstimatorChecks({ create: () => knnDistance({ k: 3, index: byCosine }) }),
);
describeChecks('knnSimilarity', densityEstimatorChecks({ create: () => knnSimilarity() }));

/** Counts the indexes that are made and disposed. */
function counted() {
  const count = { made: 0, disposed: 0 };
  const index = (): NeighborIndex => {
    count.made++;
    const inner = exactIndex();
    const dispose = async () => {
      count.disposed++;
    };
    return Object.assign(inner, { [Symbol.asyncDispose]: dispose });
  };
  return { count, index };
}

test('knnDistance is 1 / (mean distance to the k nearest others + epsilon)', async () => {
  const points = normalPoints(80, 7, 1);
  const density = await knnDistance({ k: 4 }).fit(points);
  const naive = await naiveDensity({ k: 4 }).fit(points);
  density.forEach((value, row) => {
    expect(Math.abs(value / naive[row]! - 1)).toBeLessThan(1e-6);
  });
});

test('rows with k copies have density 1 / epsilon; no row has more', async () => {
  const points = rowsOf(normalPoints(20, 5, 2), [...Array(11).fill(0), ...Array(20).keys()]);
  const density = await knnDistance({ epsilon: 0.25 }).fit(points);
  expect(density.subarray(0, 12)).toEqual(new Float64Array(12).fill(4));
  expect(Math.max(...density.subarray(12))).toBeLessThan(4);
});

test('knnSimilarity is the mean of the k largest inner products with others, and 0 if that is negative', async () => {
  const points: Matrix = { data: Float32Array.from([1, 0, 3, 0, 2, 1, -5, 0]), rows: 4, cols: 2 };
  // Row 0: 3, 2, -5; row 1: 6, 3, -15; row 2: 6, 2, -10; row 3: -5, -10, -15. A long row is not its own neighbor.
  expect(Array.from(await knnSimilarity({ k: 2 }).fit(points))).toEqual([2.5, 4.5, 4, 0]);
  expect(Array.from(await knnSimilarity({ k: 1 }).fit(points))).toEqual([3, 6, 6, 0]);
});

test('score leaves no row out: a fitted point is its own nearest neighbor', async () => {
  const points: Matrix = { data: Float32Array.from([0, 1, 3]), rows: 3, cols: 1 };
  const estimator = knnDistance({ k: 2, epsilon: 1 });
  expect(Array.from(await estimator.fit(points))).toEqual([1 / 3, 1 / 2.5, 1 / 3.5]);
  expect(Array.from(await estimator.score!({ ...points, rows: 1, data: points.data.slice(0, 1) }))).toEqual([1 / 1.5]);
});

test('any index gives the same density; its fingerprint is part of the estimator’s', async () => {
  const points = clusters([0.1, 0.5], 30, 6, 3);
  const naive = knnDistance({ k: 5, index: naiveIndex });
  const exact = knnDistance({ k: 5 });
  const densities = await exact.fit(points);
  (await naive.fit(points)).forEach((value, row) => {
    expect(Math.abs(value / densities[row]! - 1)).toBeLessThan(1e-6);
  });
  const fingerprints = [naive, exact, knnDistance(), knnDistance({ k: 5, epsilon: 1 }), knnSimilarity({ k: 5 })];
  expect(new Set(fingerprints.map(({ fingerprint }) => fingerprint)).size).toBe(5);
});

test('the index of an earlier fit is disposed, even if the new fit fails', async () => {
  const { count, index } = counted();
  const estimator = knnDistance({ k: 1, index });
  const made = count.made;
  const points = normalPoints(5, 2, 4);
  await estimator.fit(points);
  await estimator.fit(points);
  expect(count).toEqual({ made: made + 2, disposed: 1 });
  await expect(estimator.fit(normalPoints(1, 2, 4))).rejects.toThrow('k = 1 neighbors need at least 2 rows');
  expect(count.disposed).toBeGreaterThanOrEqual(2);
  await expect(estimator.score!(points)).rejects.toThrow('call fit(points) first');
});

describe('refuses', () => {
  test('invalid options', () => {
    for (const k of [0, -1, 1.5, Number.NaN]) {
      expect(() => knnDistance({ k })).toThrow(InvalidArgumentError);
      expect(() => knnSimilarity({ k })).toThrow(InvalidArgumentError);
    }
    for (const epsilon of [0, -1, Number.NaN, Infinity, 5e-324]) {
      expect(() => knnDistance({ epsilon })).toThrow(InvalidArgumentError);
    }
    const byDot = () => exactIndex({ metric: 'dot' });
    expect(() => knnDistance({ index: byDot })).toThrow('needs an index with metric euclidean or cosine, got dot');
    expect(() => knnSimilarity({ index: byCosine })).toThrow('needs an index with metric dot');
  });

  test('too few rows, and inner products beyond float32', async () => {
    await expect(knnDistance().fit(normalPoints(10, 3, 5))).rejects.toThrow('k = 10 neighbors need at least 11 rows');
    const huge: Matrix = { data: new Float32Array(6).fill(3e38), rows: 3, cols: 2 };
    await expect(knnSimilarity({ k: 1 }).fit(huge)).rejects.toBeInstanceOf(NotFiniteError);
  });
});
