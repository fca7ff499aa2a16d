import { counterRandom, type Metric, timeSlices } from '@rarefy/core';
import { kernelDensity } from '@rarefy/density';
import { groupEqualRows } from '@rarefy/neighbors/equal-rows';
import { exactNeighbors } from '@rarefy/neighbors/exact';
import { hnswIndex } from '@rarefy/neighbors/hnsw';
import { nnDescent } from '@rarefy/neighbors/nn-descent';
import { describe, expect, test } from 'vitest';
import { fastEngines } from './support/exact-engines.js';
import { difference } from './support/exact-rows.js';
import { usearchLibrary, usearchReason } from './support/neighbor-libraries.js';

const [distinct, cols] = [1500, 12];
const metrics: readonly Metric[] = ['euclidean', 'cosine', 'dot'];
const random = counterRandom(3);

/** 1,500 distinct rows of which a third of the numbers are 0, and then each of them again with -0 in place of 0. */
const rows = Float32Array.from({ length: distinct * cols }, (_, index) =>
  index % 3 === 0 ? 0 : random.uniform(index) - 0.5,
);
const withMinusZero = rows.map((value) => (value === 0 ? -0 : value));
const points = { data: Float32Array.of(...rows, ...withMinusZero), rows: 2 * distinct, cols };
/** The same rows without -0. */
const plain = { ...points, data: Float32Array.of(...rows, ...rows) };
const source = {
  rows: points.rows,
  cols,
  read: async (start: number, end: number) => ({
    data: points.data.slice(start * cols, end * cols),
    rows: end - start,
    cols,
  }),
};

describe('rows that differ in the sign of 0 are equal', () => {
  test('when equal rows are grouped, and in a density', async () => {
    const groups = await groupEqualRows(points, timeSlices(undefined));
    expect(groups.distinct.length).toBe(distinct);
    expect(groups.heads).toEqual((await groupEqualRows(plain, timeSlices(undefined))).heads);
    const densityOf = (data: Float32Array) => kernelDensity({ bandwidth: 0.5 }).fit({ data, rows: 2 * distinct, cols });
    expect(await densityOf(points.data)).toEqual(await densityOf(plain.data));
  });

  for (const metric of metrics) {
    for (const { engine, reason } of [{ engine: 'typescript' as const, reason: '' }, ...fastEngines]) {
      test.skipIf(reason !== '')(`in the exact join by ${engine}, ${metric}${reason}`, async () => {
        const found = await exactNeighbors(points, { k: 3, metric, engine });
        expect(found.distinctRows).toBe(distinct);
        const expected = await exactNeighbors(plain, { k: 3, metric, engine: 'typescript' });
        expect(difference(found, expected)).toBe('');
        if (metric !== 'dot') expect(found.ids[0]).toBe(distinct);
      });
    }

    test(`in NN-descent, in memory and from a source, ${metric}`, async () => {
      const options = { k: 3, metric, seed: 2 };
      const expected = await nnDescent(plain, options);
      expect(difference(await nnDescent(points, options), expected)).toBe('');
      expect(difference(await nnDescent(source, options), expected)).toBe('');
      if (metric === 'euclidean') expect(expected.ids[0]).toBe(distinct);
    });
  }

  test.skipIf(usearchReason !== '')(`in HNSW${usearchReason}`, async () => {
    const graph = await (await hnswIndex({ lib: usearchLibrary })).joinRows!(source, { k: 3 });
    for (let row = 0; row < distinct; row++) expect(graph.ids[3 * row]).toBe(row + distinct);
  });
});
