import type { Metric } from '@rarefy/core';
import type { Rows } from '../exact/rows.js';

/**
 * Rows as libraries want them: float32, without padding, of length 1 for `cosine`, and otherwise times one power of two, so that
 * no square of a usual row leaves float32.
 */
export interface LibraryRows {
  readonly rows: number;
  readonly cols: number;
  /** A copy of rows `start` to `end` - 1. */
  slice(start: number, end: number): Float32Array;
  /** Length of a row as the library sees it. */
  norm(row: number): number;
}

/** @param scale a power of two, see {@link powerOfTwoScale}; unused for cosine */
export function libraryRows(
  { data, squaredNorms, rows, cols, stride }: Rows,
  metric: Metric,
  scale: number,
): LibraryRows {
  const factor = (row: number) => {
    if (metric !== 'cosine') return scale;
    const squares = squaredNorms[row]!;
    return squares === 0 ? 0 : 1 / Math.sqrt(squares);
  };
  return {
    rows,
    cols,
    slice(start, end) {
      const part = new Float32Array((end - start) * cols);
      for (let row = start, to = 0; row < end; row++) {
        const by = factor(row);
        for (let from = row * stride; from < row * stride + cols; from++, to++) part[to] = data[from]! * by;
      }
      return part;
    },
    norm: (row) => Math.sqrt(squaredNorms[row]!) * factor(row),
  };
}

/** The power of two that brings the longest row to a length in (0.5, 1]; 1 when all are zeros. */
export function powerOfTwoScale({ squaredNorms, rows }: Rows): number {
  let largest = 0;
  for (let row = 0; row < rows; row++) largest = Math.max(largest, squaredNorms[row]!);
  return largest === 0 ? 1 : 2 ** -Math.ceil(Math.log2(largest) / 2);
}
