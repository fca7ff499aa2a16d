import { InvalidArgumentError, type Matrix, type Metric, selfJoin, type WorkEvent } from '@rarefy/core';
import { clusters, neighborIndexChecks, rowsOf } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { expect, test } from 'vitest';
import { autoIndex } from './auto-index.js';
import { exactNeighbors } from './exact/exact.js';
import { nnDescent } from './graph/nn-descent/nn-descent.js';

const spreads = Array.from({ length: 20 }, (_, cluster) => 0.1 + 0.02 * cluster);
/** 2,000 distinct unit rows, and 1,000 copies of some. */
const points = rowsOf(
  clusters(spreads, 100, 16, 1),
  [...Array(3000).keys()].map((at) => (at < 2000 ? at : (at * 7) % 1000)),
);

for (const metric of ['euclidean', 'cosine', 'dot'] satisfies Metric[]) {
  describeChecks(
    `autoIndex, ${metric}`,
    neighborIndexChecks({
      create: () => autoIndex({ metric }),
      variants: [() => autoIndex({ metric, exactUpTo: 9 }), () => autoIndex({ metric, seed: 1 })],
      fingerprint: `auto-index:metric=${metric},exactUpTo=50000,seed=0,trees=12,width=auto,candidates=auto,rounds=30`,
    }),
  );
}

async function joined(exactUpTo: number, metric: Metric, rows: Matrix = points) {
  const messages: string[] = [];
  const onEvent = (event: WorkEvent) => event.type === 'work-message' && messages.push(event.message);
  const graph = await selfJoin(autoIndex({ metric, exactUpTo }), rows, { k: 5, onEvent });
  return { graph, messages };
}

test('is exact up to a number of distinct rows, and reports when it is not', async () => {
  for (const metric of ['euclidean', 'cosine', 'dot'] satisfies Metric[]) {
    const { ids, distances } = await exactNeighbors(points, { k: 5, metric });
    for (const exactUpTo of [5000, 2000, Infinity]) {
      const { graph, messages } = await joined(exactUpTo, metric);
      expect(graph).toEqual({ rows: 3000, k: 5, ids, distances });
      expect(messages).toEqual([]);
    }
    const { graph, messages } = await joined(1999, metric);
    expect(graph).toEqual(await nnDescent(points, { k: 5, metric }));
    expect(messages[0]).toBe(
      '2000 distinct rows are more than exactUpTo = 1999: their neighbors are approximate, by NN-descent',
    );
    expect(messages[1]).toContain('% of the true neighbors, measured on 1000 rows');
  }
  expect(autoIndex().capabilities.exact).toBe(false);
  expect(autoIndex({ exactUpTo: Infinity }).capabilities.exact).toBe(true);
  expect(() => autoIndex({ exactUpTo: Number.NaN })).toThrow(InvalidArgumentError);
});

test('stays exact by inner product if rows have different lengths', async () => {
  const long = { ...points, data: points.data.map((value, at) => value * (1 + (Math.floor(at / 16) % 5))) };
  const { ids, distances } = await exactNeighbors(long, { k: 5, metric: 'dot' });
  const { graph, messages } = await joined(100, 'dot', long);
  expect(graph).toEqual({ rows: 3000, k: 5, ids, distances });
  expect(messages[0]).toContain('of different lengths are joined exactly');
});

test('rows from a source are joined like rows that were added', async () => {
  const { data, rows, cols } = points;
  const source = {
    rows,
    cols,
    read: async (start: number, end: number) => ({
      data: data.slice(start * cols, end * cols),
      rows: end - start,
      cols,
    }),
  };
  for (const exactUpTo of [100, 5000]) {
    const { graph } = await joined(exactUpTo, 'euclidean');
    expect(await autoIndex({ exactUpTo }).joinRows!(source, { k: 5 })).toEqual(graph);
  }
});
