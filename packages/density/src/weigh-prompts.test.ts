import {
  type DensityEstimator,
  type Embedder,
  InvalidArgumentError,
  InvalidWeightsError,
  ShapeError,
  type Weighting,
  type WorkEvent,
} from '@rarefy/core';
import { exactIndex } from '@rarefy/neighbors/exact';
import { clusters } from '@rarefy/testing';
import { expect, test } from 'vitest';
import { knnDistance, knnSimilarity } from './estimators/knn.js';
import { densityReport } from './report.js';
import { weighPrompts } from './weigh-prompts.js';
import { inverseDensity } from './weighting/inverse-density.js';
import { targetEss } from './weighting/transforms.js';

const points = clusters([0.05, 0.5, 2], 30, 20, 1);
const items = Array.from({ length: points.rows }, (_, row) => row);

/** Its items are row numbers of `points`. */
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

/** The same rows kept outside memory; counts what is read and freed. */
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

test('by default, density is the inverse of the mean distance to the 10 nearest others, and weight its inverse', async () => {
  const density = await knnDistance({ k: 10 }).fit(points);
  const weights = inverseDensity()(density);
  const expected = { density, weights, report: densityReport(density, weights) };
  const embedded = await weighPrompts(items, { embedder: inMemory });
  expect(embedded).toEqual({ ...expected, fingerprint: 'rows', truncated: [] });
  expect(await weighPrompts(points)).toEqual(expected);
});

test('rows kept outside memory have the same density, to the bit, and are freed', async () => {
  for (const create of [
    () => knnDistance({ k: 4 }),
    () => knnSimilarity({ k: 3 }),
    () => knnDistance({ k: 4, index: () => exactIndex({ metric: 'cosine' }) }),
    () => knnDistance({ k: 4, index: addOnly }),
    () => knnDistance({ k: 4, index: searchOnly }),
    () => memoryOnly(knnDistance({ k: 4 })),
  ]) {
    const expected = await create().fit(points);
    const own = await weighPrompts(items, { embedder: inMemory, estimator: create() });
    expect(own).toMatchObject({ density: expected, fingerprint: 'rows', truncated: [] });
    expect(own).not.toHaveProperty('distanceError');
    const { embedder, count } = elsewhere();
    expect(await weighPrompts(items, { embedder, estimator: create(), memoryBytes: 0 })).toMatchObject({
      density: expected,
      fingerprint: 'kept rows',
      truncated: [3],
      distanceError: { pairs: 1, median: 0.1, percentile95: 0.2, largest: 0.3 },
    });
    expect(count.disposed).toBe(1);
    // Rows that fit stay in memory.
    expect((await weighPrompts(items, { embedder, estimator: create(), memoryBytes: 7200 })).fingerprint).toBe('rows');
    expect(count.disposed).toBe(1);
  }
});

test('rows are read at once up to memoryBytes, and in blocks above it if the estimator can', async () => {
  const { embedder } = elsewhere();
  const rows = await embedder.embedRows!(items);
  const calls: string[] = [];
  const inner = knnDistance();
  const estimator: DensityEstimator = {
    ...inner,
    fit(...call) {
      calls.push('fit');
      return inner.fit(...call);
    },
    fitRows(...call) {
      calls.push('fitRows');
      return inner.fitRows!(...call);
    },
  };
  const { density } = await weighPrompts(points);
  expect((await weighPrompts(rows, { estimator })).density).toEqual(density);
  expect((await weighPrompts(rows, { estimator, memoryBytes: 7199 })).density).toEqual(density);
  expect((await weighPrompts(rows, { estimator: memoryOnly(estimator), memoryBytes: 0 })).density).toEqual(density);
  expect(calls).toEqual(['fit', 'fitRows', 'fit']);
});

test('warns of nearly uniform weights and of truncated prompts, once each', async () => {
  const events: WorkEvent[] = [];
  const options = { onEvent: (event: WorkEvent) => events.push(event), weighting: inverseDensity({ exponent: 0 }) };
  const warnings = () => events.splice(0).filter(({ type }) => type === 'work-warning');
  const { report } = await weighPrompts(points, options);
  const ofWeights = { type: 'work-warning', task: 'weigh', code: 'weights', message: report.warnings[0] };
  expect(warnings()).toEqual([ofWeights]);
  const message = '1 of 90 prompts are longer than the model reads and were truncated';
  const ofTruncation = { type: 'work-warning', task: 'embed', code: 'truncated', message };
  await weighPrompts(items, { ...options, embedder: elsewhere().embedder, memoryBytes: 0 });
  expect(warnings()).toEqual([ofTruncation, ofWeights]);
  const truncating: Embedder<number> = {
    ...inMemory,
    async embedBatch(batch) {
      const truncated = batch.includes(11) ? Uint32Array.of(batch.indexOf(11)) : new Uint32Array(0);
      return { ...(await inMemory.embedBatch(batch)), truncated };
    },
  };
  expect((await weighPrompts(items, { ...options, embedder: truncating })).truncated).toEqual([11]);
  expect(warnings()).toEqual([ofTruncation, ofWeights]);
});

test('too many rows for an estimator without fitRows are refused, and freed', async () => {
  const { embedder, count } = elsewhere(20_000_000);
  const failing = weighPrompts(items, { embedder, estimator: memoryOnly(knnDistance()), memoryBytes: 7199 });
  await expect(failing).rejects.toThrow(InvalidArgumentError);
  await expect(failing).rejects.toThrow('20000000 rows of 20 numbers take 1.6 GB');
  expect(count).toEqual({ disposed: 1, most: 0 });
});

test('an estimator that returns another number of values is refused; there is no score after fitRows', async () => {
  const wrong: DensityEstimator = { ...memoryOnly(knnDistance()), fit: async () => new Float64Array(3) };
  await expect(weighPrompts(items, { embedder: inMemory, estimator: wrong })).rejects.toThrow(ShapeError);
  await expect(weighPrompts(points, { estimator: wrong })).rejects.toThrow('3 values for 90 rows');
  const estimator = knnDistance();
  await weighPrompts(items, { embedder: elsewhere().embedder, estimator, memoryBytes: 0 });
  await expect(estimator.score!(points)).rejects.toThrow('call fit(points) first');
});

test('a weight transform is refused before any work, and invalid weights after it', async () => {
  const { embedder, count } = elsewhere();
  const options = { embedder, memoryBytes: 0, weighting: targetEss(0.5) as unknown as Weighting };
  await expect(weighPrompts(items, options)).rejects.toThrow('compose(inverseDensity(), targetEss(0.5))');
  await expect(weighPrompts(points, { weighting: options.weighting })).rejects.toThrow(InvalidArgumentError);
  expect(count).toEqual({ disposed: 0, most: 0 });
  await expect(weighPrompts(points, { weighting: () => new Float64Array(90) })).rejects.toThrow(InvalidWeightsError);
  await expect(weighPrompts(points, { weighting: () => new Float64Array(3).fill(1) })).rejects.toThrow(ShapeError);
});

test('no prompts and no rows are refused; an aborted signal ends the work with its reason', async () => {
  await expect(weighPrompts([], { embedder: inMemory })).rejects.toThrow('there are no prompts to weigh');
  const none = { data: new Float32Array(0), rows: 0, cols: 20 };
  await expect(weighPrompts(none)).rejects.toThrow('there are no rows to weigh');
  const reason = new Error('enough');
  await expect(weighPrompts(points, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('refuses an embedder that is none, and prompts that are no list', async () => {
  for (const [embedder, message] of [
    [undefined, 'got undefined'],
    [Promise.resolve(inMemory), 'got a promise; did you forget await?'],
    [() => inMemory, 'got a function; call the function that makes one'],
  ] as const) {
    const refused = weighPrompts(items, { embedder: embedder as unknown as Embedder<number> });
    await expect(refused).rejects.toThrow(InvalidArgumentError);
    await expect(refused).rejects.toThrow(`weighPrompts needs an embedder, ${message}`);
  }
  for (const [prompts, message] of [
    ['abc', 'got a string; give an array, such as [text]'],
    [undefined, 'got undefined'],
    [Promise.resolve(items), 'got a promise; did you forget await?'],
  ] as const) {
    const refused = weighPrompts(prompts as unknown as number[], { embedder: inMemory });
    await expect(refused).rejects.toThrow(new InvalidArgumentError(`weighPrompts needs a list of items, ${message}`));
  }
});
