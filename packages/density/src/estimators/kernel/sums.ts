import type { Matrix, Tick } from '@rarefy/core';
import { innerProducts, squaredLengths } from '../../numeric/inner-products.js';
import type { KernelValue } from './kernels.js';

/** The rows whose kernel values are summed. */
export interface KernelRows {
  /** Distinct rows. */
  readonly points: Matrix;
  /** Number of copies of each distinct row. */
  readonly counts: Int32Array;
  readonly squaredLengths: Float64Array;
  readonly value: KernelValue;
}

const blockRows = 64; // two blocks of 384 columns fit in a second-level cache of 256 KiB

/** For one copy of each distinct row: sum of the kernel over all other rows, where its own further copies count 1 each. */
export async function kernelSelfSums(rows: KernelRows, tick: Tick): Promise<Float64Array> {
  const { points, counts, squaredLengths: lengths, value } = rows;
  const { data, cols } = points;
  const sums = Float64Array.from(counts, (count) => count - 1);
  const products = new Float64Array(blockRows * blockRows);
  for (let top = 0; top < points.rows; top += blockRows) {
    const height = Math.min(blockRows, points.rows - top);
    for (let left = top; left < points.rows; left += blockRows) {
      const width = Math.min(blockRows, points.rows - left);
      innerProducts(data, top, height, data, left, width, cols, products);
      for (let i = 0; i < height; i++) {
        const row = top + i;
        for (let j = left === top ? i + 1 : 0; j < width; j++) {
          const other = left + j;
          const kernel = value(products[i * width + j]!, lengths[row]!, lengths[other]!);
          sums[row] = sums[row]! + counts[other]! * kernel;
          sums[other] = sums[other]! + counts[row]! * kernel;
        }
      }
      await tick(top);
    }
  }
  return sums;
}

/** For each query: sum of the kernel over all rows. */
export async function kernelQuerySums(rows: KernelRows, queries: Matrix, tick: Tick): Promise<Float64Array> {
  const { points, counts, squaredLengths: lengths, value } = rows;
  const queryLengths = squaredLengths(queries.data, queries.rows, queries.cols);
  const sums = new Float64Array(queries.rows);
  const products = new Float64Array(blockRows * blockRows);
  for (let top = 0; top < queries.rows; top += blockRows) {
    const height = Math.min(blockRows, queries.rows - top);
    for (let left = 0; left < points.rows; left += blockRows) {
      const width = Math.min(blockRows, points.rows - left);
      innerProducts(queries.data, top, height, points.data, left, width, points.cols, products);
      for (let i = 0; i < height; i++) {
        let sum = 0;
        for (let j = 0; j < width; j++) {
          const kernel = value(products[i * width + j]!, queryLengths[top + i]!, lengths[left + j]!);
          sum += counts[left + j]! * kernel;
        }
        sums[top + i] = sums[top + i]! + sum;
      }
      await tick(top);
    }
  }
  return sums;
}
