import {
  checkInteger,
  checkMatrix,
  type Matrix,
  type Metric,
  type NeighborIndex,
  type Neighbors,
  RarefyError,
  ShapeError,
} from '@rarefy/core';

/** Distance between two rows by the definition of {@link Metric}, in float64. */
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

/** Computes and sorts the distances to all rows: exact, slow and simple. */
export function naiveIndex({ metric = 'euclidean' }: { readonly metric?: Metric } = {}): NeighborIndex {
  const rows: Float32Array[] = [];
  let disposed = false;

  const search = (queries: Matrix, k: number, exclude: ArrayLike<number> | undefined): Neighbors => {
    if (disposed) throw new RarefyError('this index is disposed; create a new one');
    checkInteger('k', k, 1);
    const ids = new Int32Array(queries.rows * k).fill(-1);
    const distances = new Float32Array(queries.rows * k).fill(Infinity);
    rowsOf(queries, rows[0]?.length).forEach((query, queryRow) => {
      rows
        .map((row, id) => ({ id, distance: Math.fround(naiveDistance(metric, query, row)) }))
        .filter(({ id }) => id !== exclude?.[queryRow])
        .sort((a, b) => a.distance - b.distance || a.id - b.id)
        .slice(0, k)
        .forEach(({ id, distance }, rank) => {
          ids[queryRow * k + rank] = id;
          distances[queryRow * k + rank] = distance;
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
    async add(vectors, { signal } = {}) {
      signal?.throwIfAborted();
      rows.push(...rowsOf(vectors, rows[0]?.length));
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

/** Copies each row. @throws ShapeError if the number of columns is not `expected`; as `checkMatrix`. */
function rowsOf(matrix: Matrix, expected = matrix.cols): Float32Array[] {
  checkMatrix(matrix, 'vectors');
  const { data, rows, cols } = matrix;
  if (rows > 0 && cols !== expected)
    throw new ShapeError(`vectors have ${cols} columns, but the index has ${expected}`);
  return Array.from({ length: rows }, (_, row) => data.slice(row * cols, (row + 1) * cols));
}
