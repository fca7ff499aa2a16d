import { checkInteger, checkMatrix, type NeighborIndex, ShapeError, timeSlices } from '@rarefy/core';

/** Computes the distance to every row: exact, for thousands of rows. */
export function scanIndex(): NeighborIndex {
  const added: Float32Array[] = [];
  const distance = (x: Float32Array, y: Float32Array) => {
    let squares = 0;
    for (let column = 0; column < x.length; column++) squares += (x[column]! - y[column]!) ** 2;
    return Math.fround(Math.sqrt(squares));
  };
  return {
    specificationVersion: 'v1',
    kind: 'neighbor-index',
    fingerprint: 'scan',
    capabilities: { exact: true, incremental: true },
    metric: 'euclidean',
    get size() {
      return added.length;
    },
    async add(vectors, { signal } = {}) {
      signal?.throwIfAborted();
      checkMatrix(vectors, 'vectors');
      const { data, rows, cols } = vectors;
      if (added.length > 0 && cols !== added[0]!.length)
        throw new ShapeError(`${cols} columns, not ${added[0]!.length}`);
      for (let row = 0; row < rows; row++) added.push(data.slice(row * cols, (row + 1) * cols));
    },
    async search(queries, { k, exclude, signal }) {
      const slices = timeSlices(signal);
      checkInteger('k', k, 1);
      checkMatrix(queries, 'queries');
      const { data, rows, cols } = queries;
      if (added.length > 0 && cols !== added[0]!.length)
        throw new ShapeError(`${cols} columns, not ${added[0]!.length}`);
      const ids = new Int32Array(rows * k).fill(-1);
      const distances = new Float32Array(rows * k).fill(Number.POSITIVE_INFINITY);
      for (let row = 0; row < rows; row++) {
        if (slices.due()) await slices.pause(); // lets aborts arrive
        const query = data.subarray(row * cols, (row + 1) * cols);
        const found = added.map((other, id) => ({ id, distance: distance(query, other) }));
        const others = found.filter(({ id }) => id !== exclude?.[row]);
        others.sort((a, b) => a.distance - b.distance || a.id - b.id);
        for (const [rank, neighbor] of others.slice(0, k).entries()) {
          ids[row * k + rank] = neighbor.id;
          distances[row * k + rank] = neighbor.distance;
        }
      }
      return { rows, k, ids, distances };
    },
    async [Symbol.asyncDispose]() {},
  };
}
