import { counterRandom, type Matrix, type RowSource } from '@rarefy/core';

/** Rows from the standard normal distribution, by the Box-Muller transform. Deterministic for the same arguments. */
export function normalPoints(rows: number, cols: number, seed: number): Matrix {
  const random = counterRandom(seed);
  const data = Float32Array.from({ length: rows * cols }, (_, index) => {
    const radius = Math.sqrt(-2 * Math.log1p(-random.uniform(2 * index)));
    return radius * Math.cos(2 * Math.PI * random.uniform(2 * index + 1));
  });
  return { data, rows, cols };
}

/**
 * Rows of length 1 in clusters around random directions, one cluster after the other.
 * @param spreads standard deviation of each cluster, before rows are normalized
 * @param count rows per cluster
 */
export function clusters(spreads: readonly number[], count: number, cols: number, seed: number): Matrix {
  const centers = normalPoints(spreads.length, cols, seed);
  const points = normalPoints(spreads.length * count, cols, seed + 1);
  for (let row = 0; row < points.rows; row++) {
    const cluster = Math.floor(row / count);
    const own = points.data.subarray(row * cols, (row + 1) * cols);
    own.forEach((value, col) => {
      own[col] = centers.data[cluster * cols + col]! + spreads[cluster]! * value;
    });
    const length = Math.hypot(...own);
    own.forEach((value, col) => {
      own[col] = value / length;
    });
  }
  return points;
}

/**
 * Rows of length 1 in clusters of these sizes around random directions, in random order, so that neither the index of a row nor the
 * size of its cluster says where it is.
 * @param spread standard deviation of each cluster, before rows are normalized
 */
export function shuffledClusters(sizes: readonly number[], spread: number, cols: number, seed: number): Matrix {
  const largest = Math.max(...sizes);
  const points = clusters(Array<number>(sizes.length).fill(spread), largest, cols, seed);
  const kept = sizes.flatMap((size, cluster) => Array.from({ length: size }, (_, row) => cluster * largest + row));
  const random = counterRandom(seed).fork(1);
  return rowsOf(
    points,
    kept.sort((a, b) => random.uniform(a) - random.uniform(b)),
  );
}

/** A matrix from its rows. */
export function matrixOf(...rows: readonly (readonly number[])[]): Matrix {
  return { data: Float32Array.from(rows.flat()), rows: rows.length, cols: rows[0]!.length };
}

/** Copies rows of `points` in the given order. A row may be repeated. */
export function rowsOf(points: Matrix, order: readonly number[]): Matrix {
  const { cols } = points;
  const data = new Float32Array(order.length * cols);
  order.forEach((row, index) => {
    data.set(points.data.subarray(row * cols, (row + 1) * cols), index * cols);
  });
  return { data, rows: order.length, cols };
}

/** The same rows as a source that is read in blocks. */
export function sourceOf({ data, rows, cols }: Matrix): RowSource {
  return {
    rows,
    cols,
    async read(start, end, { signal } = {}) {
      signal?.throwIfAborted();
      return { data: data.slice(start * cols, end * cols), rows: end - start, cols };
    },
  };
}
