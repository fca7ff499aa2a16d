import type { Matrix, RowSource } from '@rarefy/core';
import type { RowReader } from '../exact/join/row-reader.js';
import type { Rows } from '../exact/rows.js';
import type { TimeSlices } from '../exact/time-slices.js';

/** Rows `start` to `start + rows.rows` - 1 as the canonical distance wants them. */
export interface RowBlock {
  readonly start: number;
  readonly end: number;
  readonly rows: Rows;
}

/** All rows in blocks that fit in memory: one, in place, where the caller holds them all. */
export interface RowBlocks {
  readonly count: number;
  load(block: number, slices: TimeSlices): Promise<RowBlock>;
}

/** @param bytes of the two blocks that are in memory at a time, where the caller does not hold the rows */
export function rowBlocks(
  points: Matrix | RowSource | Rows,
  reader: RowReader,
  squares: Float64Array,
  bytes: number,
): RowBlocks {
  const { rows, cols } = reader;
  const stride = Math.ceil(cols / 8) * 8;
  const isInPlace = 'data' in points && ('stride' in points || cols === stride);
  const size = 'data' in points ? rows : Math.max(1, Math.floor(bytes / (8 * stride)));
  return {
    count: Math.ceil(rows / size),
    async load(block, slices) {
      const start = block * size;
      const end = Math.min(start + size, rows);
      const squaredNorms = squares.subarray(start, end);
      if (isInPlace) return { start, end, rows: { data: points.data, squaredNorms, rows, cols, stride } };
      const data = new Float32Array((end - start) * stride);
      await reader.copy(start, end, data, stride, slices);
      return { start, end, rows: { data, squaredNorms, rows: end - start, cols, stride } };
    },
  };
}
