import type { TimeSlices } from '@rarefy/core';
import { paddedColumns, type Rows } from '../../distance/canonical-distance.js';
import type { RowReader } from '../../rows/row-reader.js';

/** Rows [start, end) in the layout of the canonical distance. */
export interface RowBlock {
  readonly start: number;
  readonly end: number;
  readonly rows: Rows;
}

/** All rows in blocks: a single one if the caller holds the rows in memory. */
export interface RowBlocks {
  readonly count: number;
  load(block: number, slices: TimeSlices): Promise<RowBlock>;
}

/** @param bytes of two blocks of rows that the caller does not hold; two are in memory at a time */
export function rowBlocks(reader: RowReader, squares: Float64Array, bytes: number): RowBlocks {
  const { rows, cols, held } = reader;
  const stride = paddedColumns(cols);
  const size = held ? rows : Math.max(1, Math.floor(bytes / (8 * stride)));
  return {
    count: Math.ceil(rows / size),
    async load(block, slices) {
      const start = block * size;
      const end = Math.min(start + size, rows);
      const squaredNorms = squares.subarray(start, end);
      const sizes = { squaredNorms, rows: end - start, cols, stride };
      if (held && ('stride' in held || cols === stride)) return { start, end, rows: { ...sizes, data: held.data } };
      const data = new Float32Array((end - start) * stride);
      await reader.copy(start, end, data, stride, slices);
      return { start, end, rows: { ...sizes, data } };
    },
  };
}
