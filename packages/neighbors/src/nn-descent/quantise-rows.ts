import type { Metric } from '@rarefy/core';
import type { RowReader } from '../exact/join/row-reader.js';
import type { TimeSlices } from '../exact/time-slices.js';
import type { DescentMemory } from './descent-memory.js';
import type { DescentKernel } from './descent-phases.js';
import type { ScannedRows } from './scan-rows.js';

/**
 * Puts the different rows into the memory as int16: minus the centre for `euclidean`, at length 1 for `cosine`.
 * @returns the power of two that brings the longest row to a length of about 1; 1 for cosine
 */
export async function quantiseRows(
  reader: RowReader,
  { distinct, squares, center }: ScannedRows,
  place: DescentMemory,
  kernel: DescentKernel,
  metric: Metric,
  slices: TimeSlices,
): Promise<number> {
  const { memory, stage, stageRows, stride, mean, cols } = place;
  const staged = new Float32Array(memory.buffer, stage, stageRows * stride);
  let largest = 0;
  for (const row of distinct) largest = Math.max(largest, squares[row]!);
  const unit = metric === 'cosine' || largest === 0 ? 1 : 2 ** -Math.ceil(Math.log2(largest) / 2);
  if (metric === 'euclidean') new Float64Array(memory.buffer, mean, cols).set(center);
  const half = metric === 'euclidean' ? Number.NaN : metric === 'cosine' ? 0.5 : 0;
  for (let start = 0, position = 0; position < distinct.length; start += stageRows) {
    const end = Math.min(start + stageRows, reader.rows);
    if (distinct[position]! >= end) continue;
    await reader.copy(start, end, staged, stride, slices);
    for (; position < distinct.length && distinct[position]! < end; position++) {
      const row = distinct[position]!;
      const factor = metric !== 'cosine' ? unit : squares[row] === 0 ? 0 : 1 / Math.sqrt(squares[row]!);
      kernel.quantise(stage + 4 * stride * (row - start), mean, cols, factor, position, half);
      if (position % 256 === 0 && slices.due()) await slices.pause();
    }
  }
  return unit;
}
