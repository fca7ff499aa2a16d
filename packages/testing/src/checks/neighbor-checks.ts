import type { Matrix, Metric, NeighborIndex, Neighbors } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureClose, ensureEqual } from '../ensure.js';
import { naiveIndex } from '../reference/naive-index.js';
import { clusters, matrixOf, normalPoints, rowsOf, sourceOf } from '../reference/points.js';

/** A fresh index that holds these rows. */
export async function filled(create: () => Promise<NeighborIndex>, points: Matrix): Promise<NeighborIndex> {
  const index = await create();
  await index.add(points);
  return index;
}

/** Ids 0 to `rows` - 1: the id of every row itself. */
export function ownIds(rows: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, row) => row);
}

/** Ids and distances from (3, 4) to (3, 4), (6, 8), (-3, -4) and (0, 0), nearest first. */
const known: Readonly<Record<Metric, { readonly ids: readonly number[]; readonly distances: readonly number[] }>> = {
  euclidean: { ids: [0, 1, 3, 2], distances: [0, 5, 5, 10] },
  cosine: { ids: [0, 1, 3, 2], distances: [0, 0, 1, 2] },
  dot: { ids: [1, 0, 3, 2], distances: [-50, -25, 0, 25] },
};

/** Which neighbors an index returns, at what distances, and in what order. */
export const neighborChecks: readonly ComponentCheck<NeighborIndex>[] = [
  {
    name: 'returns known distances, smaller for nearer rows',
    why: 'Libraries disagree on squares, signs and similarities; density needs one definition.',
    async run({ create }) {
      const index = await filled(create, matrixOf([3, 4], [6, 8], [-3, -4], [0, 0]));
      const { ids, distances } = await index.search(matrixOf([3, 4]), { k: 4 });
      const expected = known[index.metric];
      ensure(
        expected !== undefined,
        `expected metric to be one of ${Object.keys(known).join(', ')}, got ${index.metric}`,
      );
      ensureClose(distances, expected.distances, 1e-5, `${index.metric} distances`);
      ensureEqual(ids, expected.ids, `ids by ${index.metric} distance`);
    },
  },
  {
    name: 'returns finite distances for zero vectors',
    why: 'An empty prompt can embed to zeros, and 0 / 0 would corrupt the neighbors of every row.',
    async run({ create }) {
      const points = matrixOf([0, 0], [3, 4], [0, 0]);
      const index = await filled(create, points);
      const found = await index.search(points, { k: 2, exclude: ownIds(3) });
      const { distances } = await trueNeighbors(index.metric, points, 2);
      ensureClose(found.distances, distances, 1e-5, 'distances with zero vectors');
    },
  },
  {
    name: 'finds the true neighbors',
    why: 'A wrong neighbor gives a wrong density, and nothing downstream notices.',
    seed: 1,
    requires: { capability: 'exact results', met: ({ capabilities }) => capabilities.exact },
    async run({ create, seed }) {
      for (const points of [normalPoints(120, 17, seed), clusters([0.01, 0.3], 60, 24, seed + 1)]) {
        const index = await filled(create, points);
        const found = await index.search(points, { k: 10, exclude: ownIds(points.rows) });
        const { distances } = await trueNeighbors(index.metric, points, 10);
        ensureClose(found.distances, distances, 1e-5, 'distances of the 10 nearest rows');
      }
    },
  },
  {
    name: 'finds 90 % of the true neighbors of clustered points',
    why: 'With lower recall, crowded prompts look rare.',
    seed: 3,
    async run({ create, seed }) {
      const points = clusters([0.05, 0.1, 0.2, 0.4], 50, 32, seed);
      const index = await filled(create, points);
      const found = await index.search(points, { k: 10, exclude: ownIds(points.rows) });
      const { distances } = await trueNeighbors(index.metric, points, 10);
      const hits = found.distances.filter((distance, slot) => {
        const farthest = distances[Math.floor(slot / 10) * 10 + 9]!;
        return distance <= farthest + 1e-6; // ties and duplicates count as found
      }).length;
      ensure(hits >= 0.9 * found.distances.length, `only ${hits} of ${found.distances.length} neighbors are true ones`);
    },
  },
  {
    name: 'orders neighbors by distance, then by id',
    why: 'Ties are common among real prompts. Their order must not depend on the engine.',
    seed: 4,
    async run({ create, seed }) {
      const normal = normalPoints(60, 2, seed);
      const grid = { ...normal, data: normal.data.map(Math.round) };
      const { rows, k, ids, distances } = await (await filled(create, grid)).search(grid, { k: 20 });
      for (let row = 0; row < rows; row++) {
        for (let slot = row * k + 1; slot < (row + 1) * k; slot++) {
          const [nearer, farther] = [distances[slot - 1]!, distances[slot]!];
          ensure(nearer <= farther, `row ${row} has distance ${nearer} before the smaller distance ${farther}`);
          ensure(
            nearer < farther || ids[slot - 1]! < ids[slot]!,
            `row ${row} has id ${ids[slot - 1]} before id ${ids[slot]} at the same distance`,
          );
        }
      }
    },
  },
  {
    name: 'excludes a row by its id, even among duplicates',
    why: 'An index that drops its first result instead keeps the row itself whenever prompts repeat.',
    seed: 5,
    async run({ create, seed }) {
      const points = rowsOf(clusters([0.5], 20, 8, seed), [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 6, 7]);
      const index = await filled(create, points);
      const { ids, k, rows } = await index.search(points, { k: 4, exclude: ownIds(points.rows) });
      for (let row = 0; row < rows; row++) {
        ensure(!ids.subarray(row * k, (row + 1) * k).includes(row), `row ${row} is its own neighbor`);
      }
      if (index.metric === 'dot') return; // by inner product, a copy is not always the nearest row
      ensureEqual(ids.slice(0, k).sort(), [2, 4, 6, 8], 'ids of the neighbors of a row with four copies');
    },
  },
  {
    name: 'excludes no row for id -1',
    why: 'A new prompt has no row of its own to exclude.',
    seed: 6,
    async run({ create, seed }) {
      const points = normalPoints(30, 4, seed);
      const index = await filled(create, points);
      const plain = await index.search(points, { k: 3 });
      const none = await index.search(points, { k: 3, exclude: new Int32Array(30).fill(-1) });
      ensureEqual(none.ids, plain.ids, 'ids with id -1 excluded');
    },
  },
  {
    name: 'gives the same neighbors in a self-join as in a search',
    why: 'Densities come from the self-join, scores of new points from the search.',
    seed: 6,
    requires: { capability: 'selfJoin', met: ({ selfJoin }) => selfJoin !== undefined },
    async run({ create, seed }) {
      const points = rowsOf(clusters([0.1, 0.5], 30, 9, seed), [...Array(60).keys(), 0, 0, 1]);
      const index = await filled(create, points);
      const joined = await index.selfJoin!({ k: 7 });
      const found = await index.search(points, { k: 7, exclude: ownIds(63) });
      ensureEqual(joined.ids, found.ids, 'ids of the self-join');
      ensureEqual(joined.distances, found.distances, 'distances of the self-join');
    },
  },
  {
    name: 'gives rows in blocks the neighbors of rows in memory',
    why: 'A file of embeddings must have the same neighbors as the same rows in memory.',
    seed: 7,
    requires: { capability: 'joinRows', met: ({ joinRows }) => joinRows !== undefined },
    async run({ create, seed }) {
      const points = rowsOf(clusters([0.1, 0.5], 30, 9, seed), [...Array(60).keys(), 0, 0, 1]);
      const index = await create();
      const joined = await index.joinRows!(sourceOf(points), { k: 7 });
      const found = await (await filled(create, points)).search(points, { k: 7, exclude: ownIds(63) });
      ensureEqual(joined.ids, found.ids, 'ids of joinRows');
      ensureEqual(joined.distances, found.distances, 'distances of joinRows');
      ensure(index.size === 0, `expected an empty index after joinRows, got ${index.size} rows`);
    },
  },
  {
    name: 'returns id -1 and distance Infinity for missing neighbors',
    why: 'A made-up neighbor is worse than a missing one.',
    async run({ create }) {
      const query = matrixOf([1, 2]);
      const none = await (await create()).search(query, { k: 3 });
      ensureEqual(none.ids, [-1, -1, -1], 'ids from an empty index');
      const alone = await (await filled(create, query)).search(query, { k: 2, exclude: ownIds(1) });
      ensureEqual(alone.ids, [-1, -1], 'ids of the neighbors of the only row');
      const index = await filled(create, matrixOf([1, 2], [5, 5]));
      const { rows, k, ids, distances } = await index.search(query, { k: 4 });
      ensure(rows === 1 && k === 4, `expected a 1 x 4 result, got ${rows} x ${k}`);
      ensureEqual(ids.slice(0, 2).sort(), [0, 1], 'ids of both rows');
      ensureEqual(ids.subarray(2), [-1, -1], 'ids of missing neighbors');
      ensureEqual(distances.subarray(2), [Infinity, Infinity], 'distances of missing neighbors');
    },
  },
  {
    name: 'returns no rows for no queries',
    why: 'The last shard of a data set can be empty.',
    async run({ create }) {
      const index = await filled(create, matrixOf([1, 2]));
      const { rows, k, ids } = await index.search({ data: new Float32Array(0), rows: 0, cols: 2 }, { k: 3 });
      const size = `${rows} x ${k} with ${ids.length} ids`;
      ensure(rows === 0 && k === 3 && ids.length === 0, `expected 0 x 3 with 0 ids for no queries, got ${size}`);
    },
  },
];

/** The neighbors by the naive index, each row excluded by its id. */
async function trueNeighbors(metric: Metric, points: Matrix, k: number): Promise<Neighbors> {
  const naive = naiveIndex({ metric });
  await naive.add(points);
  return naive.search(points, { k, exclude: ownIds(points.rows) });
}
