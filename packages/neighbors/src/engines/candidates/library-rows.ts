import type { Metric } from '@rarefy/core';
import type { Rows } from '../../distance/canonical-distance.js';

/**
 * Rows in the form that libraries take: float32 without padding, normalized to length 1 for `cosine`, and otherwise multiplied by
 * one power of two so that the squares of ordinary rows stay in the range of float32.
 */
export interface LibraryRows {
  readonly rows: number;
  readonly cols: number;
  /** A copy of rows [start, end). */
  slice(start: number, end: number): Float32Array;
  /** A copy of some rows. */
  pick(rows: ArrayLike<number>): Float32Array;
  /** Length of a row in this form. */
  norm(row: number): number;
}

/** @param scale a power of two, see `unitScale`; not used for `cosine` */
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
  const copy = (row: number, target: Float32Array, to: number) => {
    const by = factor(row);
    for (let from = row * stride, at = to; at < to + cols; from++, at++) target[at] = data[from]! * by;
  };
  return {
    rows,
    cols,
    slice(start, end) {
      const part = new Float32Array((end - start) * cols);
      for (let row = start; row < end; row++) copy(row, part, (row - start) * cols);
      return part;
    },
    pick(rows) {
      const picked = new Float32Array(rows.length * cols);
      for (let index = 0; index < rows.length; index++) copy(rows[index]!, picked, index * cols);
      return picked;
    },
    norm: (row) => Math.sqrt(squaredNorms[row]!) * factor(row),
  };
}
