import { counterRandom, type Matrix, type RowSource } from '@rarefy/core';

/** Rows from the standard normal distribution, the same for the same arguments (Box-Muller). */
export function normalPoints(rows: number, cols: number, seed: number): Matrix {
  const random = counterRandom(seed);
  const data = Float32Array.from({ length: rows * cols }, (_, at) => {
    const radius = Math.sqrt(-2 * Math.log1p(-random.uniform(2 * at)));
    return radius * Math.cos(2 * Math.PI * random.uniform(2 * at + 1));
  });
  return { data, rows, cols };
}

/** Unit rows: `count` around each of some random directions, the spread of each cluster given. Cluster after cluster. */
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

/** Rows of `points`, in this order. */
export function rowsOf(points: Matrix, order: readonly number[]): Matrix {
  const { cols } = points;
  const data = new Float32Array(order.length * cols);
  order.forEach((row, at) => {
    data.set(points.data.subarray(row * cols, (row + 1) * cols), at * cols);
  });
  return { data, rows: order.length, cols };
}

/** The rows as a source that is read in blocks. */
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
