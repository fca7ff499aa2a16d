import type { Matrix, NeighborIndex, Neighbors } from '@rarefy/core';
import { naiveIndex } from '../src/reference/naive-index.js';
import type { Subject } from '../src/subjects.js';
import {
  altered,
  disposingOnce,
  hidingReason,
  identityMutants,
  ignoringSignal,
  type Mutant,
  returning,
  sharingInput,
} from './mutant.js';

type Search = NeighborIndex['search'];

/** The correct index with a changed `search` and no self-join. */
function withSearch(change: (index: NeighborIndex) => Search, index = naiveIndex()): NeighborIndex {
  const { selfJoin: _, ...rest } = Object.getOwnPropertyDescriptors(index);
  return altered(Object.defineProperties({} as NeighborIndex, rest), { search: change(index) });
}

/** Selects `width` columns of a wider result, every `stride`-th from `start` on. */
function columns({ rows, k, ids, distances }: Neighbors, start: number, width: number, stride = 1): Neighbors {
  const source = (slot: number) => Math.floor(slot / width) * k + start + (slot % width) * stride;
  return {
    rows,
    k: width,
    ids: Int32Array.from({ length: rows * width }, (_, slot) => ids[source(slot)]!),
    distances: Float32Array.from({ length: rows * width }, (_, slot) => distances[source(slot)]!),
  };
}

/** The correct index with a changed `add`. */
function withAdd(change: (index: NeighborIndex) => NeighborIndex['add'], index = naiveIndex()): NeighborIndex {
  return altered(index, { add: change(index) });
}

const mutant = (name: string, caughtBy: string, create: () => NeighborIndex): Mutant<Subject<NeighborIndex>> => ({
  name,
  caughtBy,
  subject: { create },
});

export const indexMutants: readonly Mutant<Subject<NeighborIndex>>[] = [
  ...identityMutants(naiveIndex),
  returning(naiveIndex, 'search', async () => [{ id: 0, distance: 0 }]),
  mutant('returns squared distances', 'returns known distances, smaller for nearer rows', () =>
    withSearch((index) => async (queries, options) => {
      const found = await index.search(queries, options);
      return { ...found, distances: found.distances.map((distance) => distance * distance) };
    }),
  ),
  mutant('divides by the length of a zero vector', 'returns finite distances for zero vectors', () =>
    withSearch(
      (index) => async (queries, options) => {
        const found = await index.search(queries, options);
        return { ...found, distances: found.distances.map((distance) => (distance === 1 ? Number.NaN : distance)) };
      },
      naiveIndex({ metric: 'cosine' }),
    ),
  ),
  mutant('misses the nearest neighbor', 'finds the true neighbors', () =>
    withSearch((index) => async (queries, options) => {
      return columns(await index.search(queries, { ...options, k: options.k + 1 }), 1, options.k);
    }),
  ),
  mutant('misses every other neighbor', 'finds 90 % of the true neighbors of clustered points', () =>
    altered(
      withSearch((index) => async (queries, options) => {
        const { k } = options;
        return columns(await index.search(queries, { ...options, k: 2 * k }), 0, k, 2);
      }),
      { capabilities: { exact: false, incremental: true } },
    ),
  ),
  mutant('orders ties by decreasing id', 'orders neighbors by distance, then by id', () =>
    withSearch((index) => async (queries, options) => {
      const { rows, k, ids, distances } = await index.search(queries, options);
      for (let row = 0; row < rows; row++) {
        const order = Array.from({ length: k }, (_, rank) => row * k + rank);
        const sorted = order.toSorted((a, b) => distances[a]! - distances[b]! || ids[b]! - ids[a]!);
        ids.set(
          sorted.map((slot) => ids[slot]!),
          row * k,
        );
      }
      return { rows, k, ids, distances };
    }),
  ),
  mutant('drops the first neighbor instead of the row itself', 'excludes a row by its id, even among duplicates', () =>
    withSearch((index) => async (queries, { k, exclude, signal }) => {
      if (!exclude) return index.search(queries, { k, signal });
      return columns(await index.search(queries, { k: k + 1, signal }), 1, k);
    }),
  ),
  mutant('reads id -1 as the last row', 'excludes no row for id -1', () =>
    withSearch((index) => (queries, { exclude, ...options }) => {
      if (!exclude) return index.search(queries, options);
      return index.search(queries, { ...options, exclude: exclude.map((id) => (id < 0 ? index.size + id : id)) });
    }),
  ),
  mutant('includes every row in its own self-join', 'gives the same neighbors in a self-join as in a search', () => {
    const index = naiveIndex();
    const added: Matrix[] = [];
    return altered(index, {
      async add(vectors, options) {
        await index.add(vectors, options);
        added.push(vectors);
      },
      selfJoin: async (options) => index.search(added[0]!, options),
    });
  }),
  mutant('adds the rows that it should only join', 'gives rows in blocks the neighbors of rows in memory', () => {
    const index = naiveIndex();
    return altered(index, {
      async joinRows(points, options) {
        await index.add(await points.read(0, points.rows));
        return index.selfJoin!(options);
      },
    });
  }),
  mutant('numbers the rows of each block from 0', 'gives rows in blocks the neighbors of rows in memory', () =>
    altered(naiveIndex(), {
      async joinRows(points, { k }) {
        const index = naiveIndex();
        const half = points.rows >> 1;
        await index.add(await points.read(0, half));
        await index.add(await points.read(half, points.rows));
        const exclude = Int32Array.from({ length: points.rows }, (_, row) => row % half);
        return index.search(await points.read(0, points.rows), { k, exclude });
      },
    }),
  ),
  mutant('returns row 0 for missing neighbors', 'returns id -1 and distance Infinity for missing neighbors', () =>
    withSearch((index) => async (queries, options) => {
      const found = await index.search(queries, options);
      return { ...found, ids: found.ids.map((id) => Math.max(0, id)) };
    }),
  ),
  mutant('fails if there are no queries', 'returns no rows for no queries', () =>
    withSearch((index) => async (queries, options) => {
      if (queries.rows === 0) throw new RangeError('invalid typed array length: 0');
      return index.search(queries, options);
    }),
  ),
  mutant('keeps only the last part', 'holds the same rows if they are added in parts', () => {
    let inner = naiveIndex();
    return altered(
      withSearch(() => (queries, options) => inner.search(queries, options)),
      {
        async add(vectors, options) {
          const next = naiveIndex();
          await next.add(vectors, options);
          inner = next;
        },
        get size() {
          return inner.size;
        },
      },
    );
  }),
  mutant('ignores rows that are added after the first search', 'accepts rows after a search', () => {
    let sealed: NeighborIndex | undefined;
    const index = naiveIndex();
    const added: Matrix[] = [];
    return altered(index, {
      async add(vectors, options) {
        await index.add(vectors, options);
        if (!sealed) added.push({ ...vectors, data: vectors.data.slice() });
      },
      async search(queries, options) {
        if (!sealed) {
          sealed = naiveIndex();
          for (const vectors of added) await sealed.add(vectors);
        }
        return sealed.search(queries, options);
      },
    });
  }),
  mutant(
    'keeps a reference to the buffer of the caller',
    'copies the rows that it is given and does not modify them',
    () => {
      const added: Matrix[] = [];
      const index = naiveIndex();
      return altered(
        withSearch(
          () => async (queries, options) => {
            const fresh = naiveIndex();
            for (const vectors of added) await fresh.add(vectors);
            return fresh.search(queries, options);
          },
          index,
        ),
        {
          async add(vectors, options) {
            await index.add(vectors, options);
            added.push(vectors);
          },
        },
      );
    },
  ),
  mutant('writes every result to the same buffer', 'does not reuse the arrays that it returns', () => {
    const buffers = new Map<number, Neighbors>();
    return withSearch((index) => async (queries, options) => {
      const found = await index.search(queries, options);
      const buffer = buffers.get(found.ids.length) ?? found;
      buffers.set(found.ids.length, buffer);
      buffer.ids.set(found.ids);
      buffer.distances.set(found.distances);
      return { ...found, ids: buffer.ids, distances: buffer.distances };
    });
  }),
  mutant('shares its input between concurrent calls', 'keeps concurrent calls separate', () =>
    withSearch(({ search }) => sharingInput(search)),
  ),
  mutant('normalizes the queries in place', 'does not modify its input', () =>
    withSearch((index) => async (queries, options) => {
      if (queries.data.length > 0) queries.data[0] = queries.data[0]! * 1.0001;
      return index.search(queries, options);
    }),
  ),
  mutant('reads NaN as 0', 'rejects vectors with NaN or infinity', () =>
    withAdd(
      (index) => (vectors, options) =>
        index.add({ ...vectors, data: vectors.data.map((value) => (Number.isFinite(value) ? value : 0)) }, options),
    ),
  ),
  mutant('drops extra columns', 'rejects vectors of the wrong shape', () =>
    withAdd((index) => (vectors, options) => {
      if (vectors.cols !== 3 || index.size === 0) return index.add(vectors, options);
      return index.add({ data: vectors.data.slice(0, 2), rows: 1, cols: 2 }, options);
    }),
  ),
  mutant('rounds k to an integer ≥ 1', 'rejects a k that is not an integer ≥ 1', () =>
    withSearch(
      (index) => (queries, options) =>
        index.search(queries, { ...options, k: Math.max(1, Math.floor(options.k) || 1) }),
    ),
  ),
  mutant('ignores its signal', 'rejects if its signal is already aborted', () =>
    withSearch(({ search }) => ignoringSignal(search)),
  ),
  mutant('ignores the signal of add', 'adds nothing if the signal of add is already aborted', () =>
    withAdd((index) => (vectors) => index.add(vectors)),
  ),
  mutant('hides the reason of an abort', 'rejects with the reason if it is aborted midway', () =>
    withSearch(({ search }) => hidingReason(search)),
  ),
  mutant('frees its memory twice', 'can be disposed twice', () => altered(naiveIndex(), disposingOnce())),
  mutant('returns ids from freed memory', 'returns no wrong result after disposal', () => {
    let freed = false;
    const index = withSearch((right) => async (queries, options) => {
      const found = await right.search(queries, options);
      return freed ? { ...found, ids: found.ids.fill(0) } : found;
    });
    return altered(index, {
      async [Symbol.asyncDispose]() {
        freed = true;
      },
    });
  }),
];
