import { InvalidArgumentError, type Metric } from '@rarefy/core';

/**
 * Vectors in the layout of the distance loops: each row is padded with zeros to a multiple of 8 columns, which changes no sum.
 * The arrays may be longer than `rows` needs, so that they can grow in place.
 */
export interface Rows {
  /** Row-major, rows x stride. */
  readonly data: Float32Array;
  /** x · x of each row. */
  readonly squaredNorms: Float64Array;
  readonly rows: number;
  /** Columns without the padding; 0 until there is a row. */
  readonly cols: number;
  /** Columns with the padding. */
  readonly stride: number;
}

export const paddedColumns = (cols: number): number => Math.ceil(cols / 8) * 8;

/** Distance between row `i` of `x` and row `j` of `y`: smaller is nearer, a float32 value. */
export type RowDistance = (x: Rows, i: number, y: Rows, j: number) => number;

/**
 * The one definition of a distance, which every engine returns to the last bit: differences and products in float64, summed in
 * 8 lanes (column c in lane c % 8) that are added in a fixed order, without fused multiply-add, rounded once to float32 at the end.
 */
export const canonicalDistance: Readonly<Record<Metric, RowDistance>> = {
  euclidean: (x, i, y, j) =>
    Math.fround(Math.sqrt(squaredDifference(x.data, i * x.stride, y.data, j * y.stride, x.stride))),
  cosine(x, i, y, j) {
    // sqrt(a * a) is exactly a, so equal rows are at distance exactly 0.
    const lengths = Math.sqrt(x.squaredNorms[i]! * y.squaredNorms[j]!);
    if (lengths === 0) return 1;
    return Math.fround(Math.max(0, 1 - innerProduct(x.data, i * x.stride, y.data, j * y.stride, x.stride) / lengths));
  },
  // Adding 0 after rounding turns -0 into 0, which occurs for orthogonal rows and for products too small for float32.
  dot: (x, i, y, j) => Math.fround(0 - innerProduct(x.data, i * x.stride, y.data, j * y.stride, x.stride)) + 0,
};

const metrics = Object.keys(canonicalDistance) as readonly Metric[];

/** @throws InvalidArgumentError if `metric` is not the name of a metric. */
export function checkMetric(metric: Metric): void {
  if (metrics.includes(metric)) return;
  throw new InvalidArgumentError(`metric must be one of ${metrics.join(', ')}, got ${metric}`);
}

/**
 * Canonical distance between a row and a row equal to it, given the row's x · x: 0, except that `dot` has -x · x and `cosine`
 * has 1 for a zero row.
 */
export function distanceToEqualRow(metric: Metric, squaredNorm: number): number {
  if (metric === 'dot') return Math.fround(0 - squaredNorm) + 0;
  return metric === 'cosine' && squaredNorm === 0 ? 1 : 0;
}

/** |x - y|² over `length` columns, a multiple of 8, starting at offset `p` of `x` and `q` of `y`. */
function squaredDifference(x: Float32Array, p: number, y: Float32Array, q: number, length: number): number {
  let lane0 = 0;
  let lane1 = 0;
  let lane2 = 0;
  let lane3 = 0;
  let lane4 = 0;
  let lane5 = 0;
  let lane6 = 0;
  let lane7 = 0;
  for (const end = p + length; p < end; p += 8, q += 8) {
    const d0 = x[p]! - y[q]!;
    const d1 = x[p + 1]! - y[q + 1]!;
    const d2 = x[p + 2]! - y[q + 2]!;
    const d3 = x[p + 3]! - y[q + 3]!;
    const d4 = x[p + 4]! - y[q + 4]!;
    const d5 = x[p + 5]! - y[q + 5]!;
    const d6 = x[p + 6]! - y[q + 6]!;
    const d7 = x[p + 7]! - y[q + 7]!;
    lane0 += d0 * d0;
    lane1 += d1 * d1;
    lane2 += d2 * d2;
    lane3 += d3 * d3;
    lane4 += d4 * d4;
    lane5 += d5 * d5;
    lane6 += d6 * d6;
    lane7 += d7 * d7;
  }
  return lane0 + lane4 + (lane2 + lane6) + (lane1 + lane5 + (lane3 + lane7));
}

/** x · y over `length` columns, a multiple of 8, starting at offset `p` of `x` and `q` of `y`. */
export function innerProduct(x: Float32Array, p: number, y: Float32Array, q: number, length: number): number {
  let lane0 = 0;
  let lane1 = 0;
  let lane2 = 0;
  let lane3 = 0;
  let lane4 = 0;
  let lane5 = 0;
  let lane6 = 0;
  let lane7 = 0;
  for (const end = p + length; p < end; p += 8, q += 8) {
    lane0 += x[p]! * y[q]!;
    lane1 += x[p + 1]! * y[q + 1]!;
    lane2 += x[p + 2]! * y[q + 2]!;
    lane3 += x[p + 3]! * y[q + 3]!;
    lane4 += x[p + 4]! * y[q + 4]!;
    lane5 += x[p + 5]! * y[q + 5]!;
    lane6 += x[p + 6]! * y[q + 6]!;
    lane7 += x[p + 7]! * y[q + 7]!;
  }
  return lane0 + lane4 + (lane2 + lane6) + (lane1 + lane5 + (lane3 + lane7));
}
