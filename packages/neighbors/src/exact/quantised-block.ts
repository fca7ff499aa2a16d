import type { Metric, TimeSlices } from '@rarefy/core';
import type { Rows } from './rows.js';

/** Largest length of an int16 row: by Cauchy and Schwarz no int32 sum of products can then overflow, in any order. */
const longest = 46_000; // < 2^15.5

/** More than rounding to float32 changes a number near zero. */
const tiny = 2e-45;

/** What stands for a block of rows in the pre-filter: int16 values times a scale, and how far each row is from that. */
export interface QuantisedBlock {
  /** Row i is about scales[i] times its int16 values (plus the centre, for euclidean distances). */
  readonly scales: Float64Array;
  /** Squared length of the int16 row times its scale. */
  readonly squares: Float64Array;
  /** Length of what quantising left out. */
  readonly residuals: Float64Array;
}

/**
 * Writes rows as int16 into `out`, `width` a row and zeros behind the last column.
 * @param centre taken from every row first; zeros for metrics that know the origin
 */
export async function quantiseBlock(
  rows: Rows,
  centre: Float32Array,
  out: Int16Array,
  width: number,
  slices: TimeSlices,
): Promise<QuantisedBlock> {
  const scales = new Float64Array(rows.rows);
  const squares = new Float64Array(rows.rows);
  const residuals = new Float64Array(rows.rows);
  const { data, stride, cols } = rows;
  const moved = new Float64Array(cols);
  out.fill(0);
  for (let row = 0; row < rows.rows; row++) {
    let length = 0;
    let largest = 0;
    for (let c = 0; c < cols; c++) {
      const value = data[row * stride + c]! - centre[c]!;
      moved[c] = value;
      length += value * value;
      largest = Math.max(largest, Math.abs(value));
    }
    const scale = Math.max(Math.sqrt(length) / longest, largest / 32_767);
    let square = 0;
    let residual = 0;
    if (scale > 0) {
      for (let c = 0, at = row * width; c < cols; c++, at++) {
        out[at] = moved[c]! / scale; // cut towards zero: the row grows no longer
        const value = out[at]!;
        const rest = moved[c]! - value * scale;
        square += value * value;
        residual += rest * rest;
      }
    }
    scales[row] = scale;
    squares[row] = square * scale * scale;
    residuals[row] = Math.sqrt(residual);
    if (slices.due()) await slices.pause();
  }
  return { scales, squares, residuals };
}

/** Numbers that the distance of two rows lies between. */
export interface DistanceBounds {
  least: number;
  most: number;
}

/**
 * Between which numbers the distance of row `i` of `x` and row `j` of `y` lies, given the product of their int16 rows and their true
 * lengths. The factors and last terms stand for rounding, in float64 and in the one rounding of the distance to float32.
 */
export function boundDistance(
  metric: Metric,
  x: QuantisedBlock,
  i: number,
  length: number,
  y: QuantisedBlock,
  j: number,
  otherLength: number,
  product: number,
  out: DistanceBounds,
): void {
  const inner = product * x.scales[i]! * y.scales[j]!;
  if (metric === 'euclidean') {
    const sum = x.squares[i]! + y.squares[j]!;
    const residual = (x.residuals[i]! + y.residuals[j]!) * (1 + 1e-9);
    const squared = sum - 2 * inner;
    out.least = (Math.sqrt(Math.max(0, squared - 1e-11 * sum)) - residual) * (1 - 1e-6) - tiny;
    out.most = (Math.sqrt(Math.max(0, squared) + 1e-11 * sum) + residual) * (1 + 1e-6) + tiny;
    return;
  }
  const error = Math.sqrt(x.squares[i]!) * y.residuals[j]! + x.residuals[i]! * otherLength;
  const lengths = length * otherLength;
  const slack = metric === 'dot' ? error + 1e-6 * lengths + tiny : lengths > 0 ? error / lengths + 2e-6 : 2e-6;
  const middle = metric === 'dot' ? -inner : lengths > 0 ? 1 - inner / lengths : 1;
  out.least = middle - slack;
  out.most = middle + slack;
}
