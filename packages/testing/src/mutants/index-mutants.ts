import { type Matrix, type NeighborIndex, type Neighbors, RarefyError } from '@rarefy/core';
import type { Subject } from '../check.js';
import { naiveIndex } from '../reference/naive-index.js';
import { altered, identityMutants, type Mutant, turn } from './mutant.js';

type Search = NeighborIndex['search'];

/** The right index with another `search`, and no self-join of its own. */
function withSearch(change: (index: NeighborIndex) => Search, index = naiveIndex()): NeighborIndex {
  const { selfJoin: _, ...rest } = Object.getOwnPropertyDescriptors(index);
  return altered(Object.defineProperties({} as NeighborIndex, rest), { search: change(index) });
}

/** Columns of a wider answer: `width` of them, from `start` on, every `stride`-th. */
function columns({ rows, k, ids, distances }: Neighbors, start: number, width: number, stride = 1): Neighbors {
  const at = (cell: number) => Math.floor(cell / width) * k + start + (cell % width) * stride;
  return {
    rows,
    k: width,
    ids: Int32Array.from({ length: rows * width }, (_, cell) => ids[at(cell)]!),
    distances: Float32Array.from({ length: rows * width }, (_, cell) => distances[at(cell)]!),
  };
}

/** The right index with another `add`. */
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
  mutant('returns squared distances', 'returns known distances, smaller for nearer', () =>
    withSearch((index) => async (queries, options) => {
      const found = await index.search(queries, options);
      return { ...found, distances: found.distances.map((distance) => distance * distance) };
    }),
  ),
  mutant('divides by the length of a zero vector', 'puts a vector of zeros at a finite distance', () =>
    withSearch(
      (index) => async (queries, options) => {
        const found = await index.search(queries, options);
        return { ...found, distances: found.distances.map((distance) => (distance === 1 ? Number.NaN : distance)) };
      },
      naiveIndex({ metric: 'cosine' }),
    ),
  ),
  mutant('misses the nearest neighbour', 'finds the true neighbours', () =>
    withSearch((index) => async (queries, options) => {
      return columns(await index.search(queries, { ...options, k: options.k + 1 }), 1, options.k);
    }),
  ),
  mutant('misses every other neighbour', 'finds nine of ten true neighbours of clustered points', () =>
    altered(
      withSearch((index) => async (queries, options) => {
        const { k } = options;
        return columns(await index.search(queries, { ...options, k: 2 * k }), 0, k, 2);
      }),
      { capabilities: { exact: false, incremental: true } },
    ),
  ),
  mutant('puts ties in the order of falling ids', 'orders each row by distance, then by id', () =>
    withSearch((index) => async (queries, options) => {
      const { rows, k, ids, distances } = await index.search(queries, options);
      for (let row = 0; row < rows; row++) {
        const order = Array.from({ length: k }, (_, at) => row * k + at);
        const sorted = order.toSorted((a, b) => distances[a]! - distances[b]! || ids[b]! - ids[a]!);
        ids.set(
          sorted.map((at) => ids[at]!),
          row * k,
        );
      }
      return { rows, k, ids, distances };
    }),
  ),
  mutant(
    'drops the first column instead of the row itself',
    'leaves a row out by its id, also among its duplicates',
    () =>
      withSearch((index) => async (queries, { k, exclude, signal }) => {
        if (!exclude) return index.search(queries, { k, signal });
        return columns(await index.search(queries, { k: k + 1, signal }), 1, k);
      }),
  ),
  mutant('counts id -1 from the end', 'leaves nothing out for id -1', () =>
    withSearch((index) => (queries, { exclude, ...options }) => {
      if (!exclude) return index.search(queries, options);
      return index.search(queries, { ...options, exclude: exclude.map((id) => (id < 0 ? index.size + id : id)) });
    }),
  ),
  mutant('joins every row with itself', 'joins itself as it searches itself', () => {
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
  mutant('adds the rows that it only was to join', 'joins rows that come in blocks as rows that were added', () => {
    const index = naiveIndex();
    return altered(index, {
      async joinRows(points, options) {
        await index.add(await points.read(0, points.rows));
        return index.selfJoin!(options);
      },
    });
  }),
  mutant('counts rows anew in each block', 'joins rows that come in blocks as rows that were added', () =>
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
  mutant('repeats row 0 where rows are missing', 'fills up with id -1 at infinity when there are too few rows', () =>
    withSearch((index) => async (queries, options) => {
      const found = await index.search(queries, options);
      return { ...found, ids: found.ids.map((id) => Math.max(0, id)) };
    }),
  ),
  mutant('cannot search for nothing', 'gives no rows for no queries', () =>
    withSearch((index) => async (queries, options) => {
      if (queries.rows === 0) throw new RangeError('invalid typed array length: 0');
      return index.search(queries, options);
    }),
  ),
  mutant('keeps the last part only', 'holds the same rows when they come in parts', () => {
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
  mutant('is sealed by its first search', 'takes rows after a search', () => {
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
  mutant('keeps the caller’s buffer', 'copies what it is given', () => {
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
  }),
  mutant('writes every answer into one buffer', 'gives its answers away', () => {
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
  mutant('keeps the query in a variable that all calls share', 'keeps searches apart that run at the same time', () => {
    let current: Parameters<Search> | undefined;
    return withSearch((index) => async (...given) => {
      given[1].signal?.throwIfAborted();
      current = given;
      await turn();
      given[1].signal?.throwIfAborted();
      return index.search(...current);
    });
  }),
  mutant('takes a NaN for a zero', 'refuses vectors that are no numbers', () =>
    withAdd(
      (index) => (vectors, options) =>
        index.add({ ...vectors, data: vectors.data.map((value) => (Number.isFinite(value) ? value : 0)) }, options),
    ),
  ),
  mutant('cuts longer rows to its columns', 'refuses vectors of another shape', () =>
    withAdd((index) => (vectors, options) => {
      if (vectors.cols !== 3 || index.size === 0) return index.add(vectors, options);
      return index.add({ data: vectors.data.slice(0, 2), rows: 1, cols: 2 }, options);
    }),
  ),
  mutant('takes any k for at least 1', 'refuses a count that is no integer above 0', () =>
    withSearch(
      (index) => (queries, options) =>
        index.search(queries, { ...options, k: Math.max(1, Math.floor(options.k) || 1) }),
    ),
  ),
  mutant('is not stopped by its signal', 'stops when it is told to', () =>
    withSearch(
      (index) =>
        (queries, { signal: _, ...options }) =>
          index.search(queries, options),
    ),
  ),
  mutant('turns an abort into an error of its own', 'stops in the middle of a search', () =>
    withSearch((index) => async (queries, options) => {
      options.signal?.throwIfAborted();
      await turn();
      if (options.signal?.aborted) throw new Error('the search thread ended');
      return index.search(queries, options);
    }),
  ),
  mutant('frees its memory twice', 'can be disposed twice', () => {
    let freed = 0;
    return altered(naiveIndex(), {
      async [Symbol.asyncDispose]() {
        if (++freed === 2) throw new RarefyError('the index is freed already'); // the kit disposes once more
      },
    });
  }),
  mutant('answers from freed memory', 'makes up no neighbours after it was disposed', () => {
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
