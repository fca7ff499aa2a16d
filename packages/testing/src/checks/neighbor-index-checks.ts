import {
  InvalidArgumentError,
  type Matrix,
  type NeighborIndex,
  type Neighbors,
  NotFiniteError,
  ShapeError,
} from '@rarefy/core';
import type { Check } from '../check.js';
import { type ComponentCheck, type ComponentForm, componentChecks } from '../component-checks.js';
import { ensure, ensureAborts, ensureEqual, ensureFailsWith, ensureMethods, ensureTyped } from '../ensure.js';
import { clusters, matrixOf, normalPoints, rowsOf } from '../reference/points.js';
import type { Subject } from '../subjects.js';
import {
  disposesTwice,
  failsOrAnswersAfterDisposal,
  leavesInputUnchanged,
  leavesResultsToCaller,
  type MainCall,
  rejectsIfAborted,
  rejectsIfAbortedMidway,
  separatesConcurrentCalls,
} from './life-checks.js';
import { filled, neighborChecks, ownIds } from './neighbor-checks.js';

/** The checks of every neighbor index. `create` makes empty indexes with the same metric and options. */
export function neighborIndexChecks(subject: Subject<NeighborIndex>): Check[] {
  return componentChecks('neighbor-index', subject, form, [
    ...neighborChecks,
    ...addingChecks,
    ...inputChecks,
    leavesInputUnchanged(search),
    leavesResultsToCaller(search),
    separatesConcurrentCalls(search),
    rejectsIfAborted(search),
    rejectsIfAbortedMidway(search),
    disposesTwice(search),
    failsOrAnswersAfterDisposal(search),
  ]);
}

const rows = 120;
const points = () => normalPoints(rows, 16, 11);

const form: ComponentForm<NeighborIndex> = {
  methods: ['add', 'search', Symbol.asyncDispose],
  async results(index) {
    await index.add(points());
    const found: unknown = await index.search(rowsOf(points(), [0]), { k: 1 });
    ensureMethods(found, [], 'the result of search');
    const { ids, distances } = found as Neighbors;
    ensureTyped(ids, 'Int32Array', 'ids of a search');
    ensureTyped(distances, 'Float32Array', 'distances of a search');
  },
};

const search: MainCall<NeighborIndex, { readonly queries: Matrix; readonly k: number }> = {
  method: 'search',
  ready: (create) => filled(create, points()),
  inputs: () => [
    { queries: points(), k: 4 },
    { queries: rowsOf(points(), [...Array(96).keys()].reverse()), k: 5 }, // also 480 neighbors, to fit the same buffer
  ],
  call: async (index, { queries, k }, signal) => arrays(await index.search(queries, { k, signal })),
  otherCalls: (index) => [
    (signal) => index.search(points(), { k: 5, exclude: ownIds(rows), signal }),
    ...(index.selfJoin ? [(signal: AbortSignal) => index.selfJoin!({ k: 1, signal })] : []),
  ],
};

const arrays = ({ ids, distances }: Neighbors) => ({ ids, distances });

/** How rows come into an index. */
const addingChecks: readonly ComponentCheck<NeighborIndex>[] = [
  {
    name: 'holds the same rows if they are added in parts',
    why: 'Data sets are added shard by shard.',
    seed: 7,
    async run({ create, seed }) {
      const points = clusters([0.2, 0.4], 25, 6, seed);
      const parts = await create();
      for (let row = 0; row < 50; row += 20) {
        const order = Array.from({ length: Math.min(20, 50 - row) }, (_, index) => row + index);
        await parts.add(rowsOf(points, order));
      }
      ensure(parts.size === 50, `expected size 50 after adding 50 rows, got ${parts.size}`);
      const whole = await (await filled(create, points)).search(points, { k: 5 });
      ensureEqual((await parts.search(points, { k: 5 })).ids, whole.ids, 'ids after adding in parts');
    },
  },
  {
    name: 'accepts rows after a search',
    why: 'New prompts arrive during a run.',
    requires: { capability: 'adding after a search', met: ({ capabilities }) => capabilities.incremental },
    async run({ create }) {
      const index = await filled(create, matrixOf([0, 9]));
      await index.search(matrixOf([1, 0]), { k: 1 });
      await index.add(matrixOf([1, 0]));
      ensureEqual((await index.search(matrixOf([1, 0]), { k: 1 })).ids, [1], 'id of the nearest row after adding it');
    },
  },
  {
    name: 'copies the rows that it is given and does not modify them',
    why: 'Embedding buffers are reused for the next batch.',
    seed: 8,
    async run({ create, seed }) {
      const points = clusters([0.3], 30, 5, seed);
      const queries = { ...points, data: points.data.slice() };
      const index = await filled(create, points);
      ensureEqual(points.data, queries.data, 'the rows after they were added');
      points.data.fill(0.5);
      const expected = (await (await filled(create, queries)).search(queries, { k: 3 })).ids;
      ensureEqual((await index.search(queries, { k: 3 })).ids, expected, 'ids after the caller overwrote its buffer');
    },
  },
  {
    name: 'adds nothing if the signal of add is already aborted',
    why: 'Rows that are half added shift the ids of all rows after them.',
    async run({ create }) {
      const index = await filled(create, matrixOf([1, 2], [3, 4]));
      await ensureAborts((signal) => index.add(matrixOf([5, 6]), { signal }), 'add');
      ensure(index.size === 2, `expected size 2 after an aborted add, got ${index.size}`);
      const { ids } = await index.search(matrixOf([3, 4]), { k: 2 });
      ensureEqual(ids.toSorted(), [0, 1], 'ids after an aborted add');
    },
  },
];

/** What an index must reject. */
const inputChecks: readonly ComponentCheck<NeighborIndex>[] = [
  {
    name: 'rejects vectors with NaN or infinity',
    why: 'A single NaN row silently empties the neighbor lists of other rows.',
    async run({ create }) {
      const index = await filled(create, matrixOf([1, 2], [3, 4]));
      const add = (points: Matrix) => () => index.add(points);
      const message = await ensureFailsWith(add(matrixOf([1, 1], [1, Number.NaN])), NotFiniteError, 'NaN in row 1');
      ensure(/\b1\b/.test(message), `the error for NaN in row 1 does not name the row: "${message}"`);
      await ensureFailsWith(add(matrixOf([Infinity, 1])), NotFiniteError, 'an infinity');
      ensure(index.size === 2, `expected size 2 after rejected rows, got ${index.size}`);
      const search = () => index.search(matrixOf([Number.NaN, 1]), { k: 1 });
      await ensureFailsWith(search, NotFiniteError, 'a query with NaN');
    },
  },
  {
    name: 'rejects vectors of the wrong shape',
    why: 'Embeddings of two models in one index are a mistake that gives plausible numbers.',
    async run({ create }) {
      const index = await filled(create, matrixOf([1, 2], [3, 4]));
      const wide = matrixOf([1, 2, 3]);
      await ensureFailsWith(() => index.add(wide), ShapeError, 'adding a row of 3 columns to rows of 2');
      const short = { ...matrixOf([1, 2]), rows: 2 };
      await ensureFailsWith(() => index.add(short), ShapeError, 'a 2 x 2 matrix with 2 numbers');
      ensure(index.size === 2, `expected size 2 after rejected rows, got ${index.size}`);
      const search = () => index.search(wide, { k: 1 });
      await ensureFailsWith(search, ShapeError, 'a query of 3 columns against rows of 2');
    },
  },
  {
    name: 'rejects a k that is not an integer ≥ 1',
    why: 'A k of 0 or 2.5 is a mistake of the caller, and an empty result would hide it.',
    async run({ create }) {
      const index = await filled(create, matrixOf([1, 2], [3, 4]));
      for (const k of [0, -1, 2.5, Number.NaN]) {
        await ensureFailsWith(() => index.search(matrixOf([1, 2]), { k }), InvalidArgumentError, `k = ${k}`);
      }
    },
  },
];
