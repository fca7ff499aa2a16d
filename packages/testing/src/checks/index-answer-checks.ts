import type { Matrix, Metric, NeighborIndex, Neighbors } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureClose, ensureEqual } from '../ensure.js';
import { naiveIndex } from '../reference/naive-index.js';
import { clusters, normalPoints, rowsOf, sourceOf } from '../reference/points.js';
import { filled, matrix, selves } from './index-rows.js';

/** Distances from (3, 4) to (3, 4), (6, 8), (-3, -4) and (0, 0), as [id, distance], nearest first. */
const known: Readonly<Record<Metric, readonly (readonly [number, number])[]>> = {
  euclidean: [
    [0, 0],
    [1, 5],
    [3, 5],
    [2, 10],
  ],
  cosine: [
    [0, 0],
    [1, 0],
    [3, 1],
    [2, 2],
  ],
  dot: [
    [1, -50],
    [0, -25],
    [3, 0],
    [2, 25],
  ],
};

/** Which neighbours, at what distance, in what order. */
export function indexAnswerChecks(): ComponentCheck<NeighborIndex>[] {
  return [
    {
      name: 'returns known distances, smaller for nearer',
      why: 'Libraries disagree on squares, signs and similarities; density needs one meaning.',
      async run({ create }) {
        const index = await filled(create, matrix([3, 4], [6, 8], [-3, -4], [0, 0]));
        const { ids, distances } = await index.search(matrix([3, 4]), { k: 4 });
        const due = known[index.metric];
        ensure(due !== undefined, `metric is ${index.metric}, not one of ${Object.keys(known).join(', ')}`);
        ensureClose(
          distances,
          due.map(([, distance]) => distance),
          1e-5,
          `${index.metric} distances`,
        );
        ensureEqual(
          ids,
          due.map(([id]) => id),
          `ids by ${index.metric} distance`,
        );
      },
    },
    {
      name: 'puts a vector of zeros at a finite distance',
      why: 'An empty prompt embeds to zeros, and 0 / 0 would spoil the neighbours of all.',
      async run({ create }) {
        const points = matrix([0, 0], [3, 4], [0, 0]);
        const index = await filled(create, points);
        const found = await index.search(points, { k: 2, exclude: selves(3) });
        ensureClose(
          found.distances,
          (await truth(index.metric, points, 2)).distances,
          1e-5,
          'distances with zero vectors',
        );
      },
    },
    {
      name: 'finds the true neighbours',
      why: 'A wrong neighbour is a wrong density, and nothing later notices.',
      seed: 1,
      requires: { capability: 'exact answers', met: ({ capabilities }) => capabilities.exact },
      async run({ create, seed }) {
        for (const points of [normalPoints(120, 17, seed), clusters([0.01, 0.3], 60, 24, seed + 1)]) {
          const index = await filled(create, points);
          const found = await index.search(points, { k: 10, exclude: selves(points.rows) });
          ensureClose(
            found.distances,
            (await truth(index.metric, points, 10)).distances,
            1e-5,
            'distances of the 10 nearest',
          );
        }
      },
    },
    {
      name: 'finds nine of ten true neighbours of clustered points',
      why: 'An approximate index that misses more makes crowded prompts look rare.',
      seed: 3,
      async run({ create, seed }) {
        const points = clusters([0.05, 0.1, 0.2, 0.4], 50, 32, seed);
        const index = await filled(create, points);
        const found = await index.search(points, { k: 10, exclude: selves(points.rows) });
        const { distances } = await truth(index.metric, points, 10);
        let hits = 0;
        for (let at = 0; at < found.distances.length; at++) {
          const farthest = distances[Math.floor(at / 10) * 10 + 9]!;
          if (found.distances[at]! <= farthest + 1e-6) hits++; // ties and duplicates count
        }
        ensure(hits >= 0.9 * found.distances.length, `${hits} of ${found.distances.length} neighbours are true ones`);
      },
    },
    {
      name: 'orders each row by distance, then by id',
      why: 'Ties are common among real prompts; their order must not depend on the engine.',
      seed: 4,
      async run({ create, seed }) {
        const grid = normalPoints(60, 2, seed);
        grid.data.forEach((value, at) => {
          grid.data[at] = Math.round(value);
        });
        ensureOrdered(await (await filled(create, grid)).search(grid, { k: 20 }));
      },
    },
    {
      name: 'leaves a row out by its id, also among its duplicates',
      why: 'Dropping the first column instead keeps the row itself whenever prompts repeat.',
      seed: 5,
      async run({ create, seed }) {
        const points = rowsOf(clusters([0.5], 20, 8, seed), [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 6, 7]);
        const index = await filled(create, points);
        const { ids, k, rows } = await index.search(points, { k: 4, exclude: selves(points.rows) });
        for (let row = 0; row < rows; row++) {
          ensure(!ids.subarray(row * k, (row + 1) * k).includes(row), `row ${row} is its own neighbour`);
        }
        if (index.metric === 'dot') return; // by inner product a copy need not be the nearest
        const copies = Array.from(ids.subarray(0, k)).sort((a, b) => a - b);
        ensureEqual(copies, [2, 4, 6, 8], 'neighbours of a row with four copies');
      },
    },
    {
      name: 'leaves nothing out for id -1',
      why: 'New prompts beside old ones have no row of their own to leave out.',
      seed: 6,
      async run({ create, seed }) {
        const points = normalPoints(30, 4, seed);
        const index = await filled(create, points);
        const plain = await index.search(points, { k: 3 });
        const none = await index.search(points, { k: 3, exclude: new Int32Array(30).fill(-1) });
        ensureEqual(none.ids, plain.ids, 'ids when -1 is excluded');
      },
    },
    {
      name: 'joins itself as it searches itself',
      why: 'Density comes from the self-join; scores of new points from the search.',
      seed: 6,
      requires: { capability: 'selfJoin', met: ({ selfJoin }) => selfJoin !== undefined },
      async run({ create, seed }) {
        const points = rowsOf(clusters([0.1, 0.5], 30, 9, seed), [...Array(60).keys(), 0, 0, 1]);
        const index = await filled(create, points);
        const joined = await index.selfJoin!({ k: 7 });
        const found = await index.search(points, { k: 7, exclude: selves(63) });
        ensureEqual(joined.ids, found.ids, 'ids of the self-join against those of the search');
        ensureEqual(joined.distances, found.distances, 'distances of the self-join against those of the search');
      },
    },
    {
      name: 'joins rows that come in blocks as rows that were added',
      why: 'A file of embeddings gives the neighbours that the same rows in memory have.',
      seed: 7,
      requires: { capability: 'joinRows', met: ({ joinRows }) => joinRows !== undefined },
      async run({ create, seed }) {
        const points = rowsOf(clusters([0.1, 0.5], 30, 9, seed), [...Array(60).keys(), 0, 0, 1]);
        const index = await create();
        const joined = await index.joinRows!(sourceOf(points), { k: 7 });
        const found = await (await filled(create, points)).search(points, { k: 7, exclude: selves(63) });
        ensureEqual(joined.ids, found.ids, 'ids of the join of blocks against those of the search');
        ensureEqual(joined.distances, found.distances, 'distances of the join of blocks');
        ensure(index.size === 0, `${index.size} rows in the index after a join of blocks`);
      },
    },
    {
      name: 'fills up with id -1 at infinity when there are too few rows',
      why: 'A made-up neighbour is worse than a missing one.',
      async run({ create }) {
        const query = matrix([1, 2]);
        ensureEqual((await (await create()).search(query, { k: 3 })).ids, [-1, -1, -1], 'ids from an empty index');
        const alone = await (await filled(create, query)).search(query, { k: 2, exclude: selves(1) });
        ensureEqual(alone.ids, [-1, -1], 'neighbours of the only row');
        const { rows, k, ids, distances } = await (await filled(create, matrix([1, 2], [5, 5]))).search(query, {
          k: 4,
        });
        ensure(
          rows === 1 && k === 4 && ids.length === 4 && distances.length === 4,
          `a ${rows} x ${k} answer for 1 x 4`,
        );
        ensureEqual(Array.from(ids.subarray(0, 2)).sort(), [0, 1], 'ids of both rows');
        ensureEqual(ids.subarray(2), [-1, -1], 'ids of missing neighbours');
        ensureEqual(distances.subarray(2), [Infinity, Infinity], 'distances of missing neighbours');
      },
    },
    {
      name: 'gives no rows for no queries',
      why: 'The last shard of a data set may be empty.',
      async run({ create }) {
        const index = await filled(create, matrix([1, 2]));
        const { rows, k, ids } = await index.search({ data: new Float32Array(0), rows: 0, cols: 2 }, { k: 3 });
        ensure(rows === 0 && k === 3 && ids.length === 0, `${rows} x ${k} with ${ids.length} ids for no queries`);
      },
    },
  ];
}

/** The neighbours by the naive index, each row left out by its id. */
async function truth(metric: Metric, points: Matrix, k: number): Promise<Neighbors> {
  const naive = naiveIndex({ metric });
  await naive.add(points);
  return naive.search(points, { k, exclude: selves(points.rows) });
}

function ensureOrdered({ rows, k, ids, distances }: Neighbors): void {
  for (let row = 0; row < rows; row++) {
    for (let at = row * k + 1; at < (row + 1) * k; at++) {
      const [nearer, farther] = [distances[at - 1]!, distances[at]!];
      ensure(nearer <= farther, `row ${row} has distance ${nearer} before ${farther}`);
      ensure(
        nearer < farther || ids[at - 1]! < ids[at]!,
        `row ${row} ties ids ${ids[at - 1]} and ${ids[at]} in that order`,
      );
    }
  }
}
