import { type DensityEstimator, type Embedder, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { clusters } from '@rarefy/testing';
import { expect, test } from 'vitest';
import { densityOf } from './density-of.js';
import { knnDistance } from './estimators/knn-distance.js';
import { knnSimilarity } from './estimators/knn-similarity.js';

const points = clusters([0.05, 0.5, 2], 30, 20, 1);
const items = Array.from({ length: points.rows }, (_, row) => row);

/** Items are rows of `points`. */
const inMemory: Embedder<number> = {
  specificationVersion: 'v1',
  kind: 'embedder',
  fingerprint: 'rows',
  capabilities: {
    dimensions: 20,
    maxBatch: 7,
    maxConcurrency: 1,
    normalized: true,
    deterministic: true,
    batchTolerance: 0,
  },
  async embedBatch(items) {
    const data = Float32Array.from(items.flatMap((row) => [...points.data.subarray(row * 20, (row + 1) * 20)]));
    return { embeddings: { data, rows: items.length, cols: 20 } };
  },
  async [Symbol.asyncDispose]() {},
};

/** The same rows kept elsewhere; counts what was read and freed. */
function elsewhere(rows = points.rows) {
  const count = { disposed: 0, most: 0 };
  const embedder: Embedder<number> = {
    ...inMemory,
    async embedRows() {
      return {
        rows,
        cols: 20,
        fingerprint: 'kept rows',
        truncated: [3],
        distanceError: { pairs: 1, median: 0.1, percentile95: 0.2, largest: 0.3 },
        async read(start, end) {
          count.most = Math.max(count.most, end - start);
          return { data: points.data.slice(start * 20, end * 20), rows: end - start, cols: 20 };
        },
        async [Symbol.asyncDispose]() {
          count.disposed++;
        },
      };
    },
  };
  return { embedder, count };
}

const memoryOnly = ({ fitRows: _, ...estimator }: DensityEstimator): DensityEstimator => estimator;
const addOnly = () => Object.assign(exactIndex(), { joinRows: undefined });
const searchOnly = () => Object.assign(addOnly(), { selfJoin: undefined });

test('density of rows kept elsewhere is that of rows in memory, to the bit, and the rows are freed', async () => {
  for (const create of [
    () => knnDistance({ k: 4 }),
    () => knnSimilarity({ k: 3 }),
    () => knnDistance({ k: 4, index: () => exactIndex({ metric: 'cosine' }) }),
    () => knnDistance({ k: 4, index: addOnly }),
    () => knnDistance({ k: 4, index: searchOnly }),
    () => memoryOnly(knnDistance({ k: 4 })),
  ]) {
    const expected = await create().fit(points);
    expect(await densityOf(items, { embedder: inMemory, estimator: create() })).toEqual({
      density: expected,
      fingerprint: 'rows',
      truncated: [],
    });
    const { embedder, count } = elsewhere();
    expect(await densityOf(items, { embedder, estimator: create(), memoryBytes: 0 })).toEqual({
      density: expected,
      fingerprint: 'kept rows',
      truncated: [3],
      distanceError: { pairs: 1, median: 0.1, percentile95: 0.2, largest: 0.3 },
    });
    expect(count.disposed).toBe(1);
    // What fits is not kept elsewhere.
    expect((await densityOf(items, { embedder, estimator: create(), memoryBytes: 7200 })).fingerprint).toBe('rows');
    expect(count.disposed).toBe(1);
  }
});

test('too many rows for an estimator that takes none in blocks are refused, and freed', async () => {
  const { embedder, count } = elsewhere(20_000_000);
  const failing = densityOf(items, { embedder, estimator: memoryOnly(knnDistance()), memoryBytes: 7199 });
  await expect(failing).rejects.toThrow(InvalidArgumentError);
  await expect(failing).rejects.toThrow('20000000 rows of 20 numbers take 1.6 GB');
  expect(count).toEqual({ disposed: 1, most: 0 });
});

test('an estimator of another number of values is refused; after rows in blocks there is no score', async () => {
  const wrong: DensityEstimator = { ...memoryOnly(knnDistance()), fit: async () => new Float64Array(3) };
  await expect(densityOf(items, { embedder: inMemory, estimator: wrong })).rejects.toThrow(ShapeError);
  const estimator = knnDistance();
  await densityOf(items, { embedder: elsewhere().embedder, estimator, memoryBytes: 0 });
  await expect(estimator.score!(points)).rejects.toThrow('call fit(points) first');
});
