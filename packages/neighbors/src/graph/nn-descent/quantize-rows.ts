import type { Metric, TimeSlices } from '@rarefy/core';
import type { DescentMemory } from '@rarefy/neighbors-wasm';
import type { RowReader } from '../../rows/row-reader.js';
import { squareRange, unitScale } from '../../rows/rows.js';
import type { Crew } from '../../workers/crew.js';
import type { ScannedRows } from '../scan-rows.js';

/** Puts one row into the memory; see `assembly/nn-descent.ts` of neighbors-wasm. */
type Quantize = (source: number, mean: number, cols: number, factor: number, position: number, half: number) => void;

/**
 * Puts the distinct rows into the memory as int16: minus the center for `euclidean`, at length 1 for `cosine`.
 * @returns the power of two that rows were multiplied by, which brings the longest one to a length of about 1; 1 for `cosine`
 */
export async function quantizeRows(
  reader: RowReader,
  { distinct, squares, center }: ScannedRows,
  layout: DescentMemory,
  { exports }: Crew,
  metric: Metric,
  slices: TimeSlices,
): Promise<number> {
  const { memory, stage, stageRows, stride, mean, cols } = layout;
  const quantize = exports.quantize as unknown as Quantize;
  const staged = new Float32Array(memory.buffer, stage, stageRows * stride);
  const unit = metric === 'cosine' ? 1 : unitScale(squareRange(squares, distinct).most);
  if (metric === 'euclidean') new Float64Array(memory.buffer, mean, cols).set(center);
  const half = { euclidean: Number.NaN, cosine: 0.5, dot: 0 }[metric];
  for (let start = 0, position = 0; position < distinct.length; start += stageRows) {
    const end = Math.min(start + stageRows, reader.rows);
    if (distinct[position]! >= end) continue;
    await reader.copy(start, end, staged, stride, slices);
    for (; position < distinct.length && distinct[position]! < end; position++) {
      const row = distinct[position]!;
      const factor = metric !== 'cosine' ? unit : squares[row] === 0 ? 0 : 1 / Math.sqrt(squares[row]!);
      quantize(stage + 4 * stride * (row - start), mean, cols, factor, position, half);
      if (position % 256 === 0 && slices.due()) await slices.pause();
    }
  }
  return unit;
}
