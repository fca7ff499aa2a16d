import {
  type CallOptions,
  InvalidArgumentError,
  type Matrix,
  type Metric,
  type NeighborIndex,
  type Neighbors,
  NotFiniteError,
  RarefyError,
  ShapeError,
} from '@rarefy/core';

/** Distance of two rows by the definition of {@link Metric}, in float64. */
export function naiveDistance(metric: Metric, x: ArrayLike<number>, y: ArrayLike<number>): number {
  let squares = 0;
  let product = 0;
  let xNorm = 0;
  let yNorm = 0;
  for (let col = 0; col < x.length; col++) {
    squares += (x[col]! - y[col]!) ** 2;
    product += x[col]! * y[col]!;
    xNorm += x[col]! ** 2;
    yNorm += y[col]! ** 2;
  }
  if (metric === 'euclidean') return Math.sqrt(squares);
  if (metric === 'dot') return -product;
  return xNorm * yNorm === 0 ? 1 : 1 - product / Math.sqrt(xNorm * yNorm);
}

/** Sorts all distances of every query: exact, slow, and simple enough to be seen right. */
export function naiveIndex({ metric = 'euclidean' }: { readonly metric?: Metric } = {}): NeighborIndex {
  const rows: Float32Array[] = [];
  let disposed = false;

  const search = (queries: Matrix, k: number, exclude: ArrayLike<number> | undefined): Neighbors => {
    if (disposed) throw new RarefyError('this index was disposed; make a new one');
    if (!(Number.isInteger(k) && k >= 1)) throw new InvalidArgumentError(`k must be an integer ≥ 1, got ${k}`);
    const ids = new Int32Array(queries.rows * k).fill(-1);
    const distances = new Float32Array(queries.rows * k).fill(Infinity);
    split(queries, rows[0]?.length).forEach((query, at) => {
      rows
        .map((row, id) => ({ id, distance: Math.fround(naiveDistance(metric, query, row)) }))
        .filter(({ id }) => id !== exclude?.[at])
        .sort((a, b) => a.distance - b.distance || a.id - b.id)
        .slice(0, k)
        .forEach(({ id, distance }, rank) => {
          ids[at * k + rank] = id;
          distances[at * k + rank] = distance;
        });
    });
    return { rows: queries.rows, k, ids, distances };
  };

  return {
    specificationVersion: 'v1',
    kind: 'neighbor-index',
    fingerprint: `naive-index:metric=${metric}`,
    capabilities: { exact: true, incremental: true },
    metric,
    get size() {
      return rows.length;
    },
    async add(vectors, { signal }: CallOptions = {}) {
      signal?.throwIfAborted();
      rows.push(...split(vectors, rows[0]?.length));
    },
    async search(queries, { k, exclude, signal }) {
      signal?.throwIfAborted();
      return search(queries, k, exclude);
    },
    async selfJoin({ k, signal }) {
      signal?.throwIfAborted();
      const cols = rows[0]?.length ?? 0;
      const data = new Float32Array(rows.length * cols);
      for (const [row, values] of rows.entries()) data.set(values, row * cols);
      return search({ data, rows: rows.length, cols }, k, [...rows.keys()]);
    },
    async joinRows(points, { k, signal }) {
      const index = naiveIndex({ metric });
      await index.add(await points.read(0, points.rows, { signal }));
      return index.selfJoin!({ k, signal });
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
    },
  };
}

/** A copy of each row. */
function split({ data, rows, cols }: Matrix, expected = cols): Float32Array[] {
  if (data.length !== rows * cols || (rows > 0 && cols !== expected)) {
    throw new ShapeError(`${rows} x ${cols} with ${data.length} numbers, where rows have ${expected} columns`);
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new NotFiniteError(`${data[bad]} in row ${Math.floor(bad / cols)}`);
  return Array.from({ length: rows }, (_, row) => data.slice(row * cols, (row + 1) * cols));
}
