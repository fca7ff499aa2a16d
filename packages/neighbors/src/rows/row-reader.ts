import { type CallOptions, checkShape, type Matrix, type RowSource, ShapeError, type TimeSlices } from '@rarefy/core';
import type { Rows } from '../distance/canonical-distance.js';
import { checkSizes } from './checks.js';

/** Rows of any kind, which are copied in blocks. */
export interface RowReader {
  readonly rows: number;
  readonly cols: number;
  /** Noun in the plural for error messages, such as `points`. */
  readonly name: string;
  /** The rows that the caller holds in memory; undefined for a row source. */
  readonly held?: Matrix | Rows | undefined;
  /**
   * Copies rows [start, end) to the beginning of `target`, `stride` numbers per row. The padding columns are left as they are.
   */
  copy(start: number, end: number, target: Float32Array, stride: number, slices: TimeSlices): Promise<void>;
}

/** Numbers per copy: about a millisecond. */
const chunkNumbers = 2 ** 20;

/** @throws ShapeError if the sizes do not agree; InvalidArgumentError if `points` is neither a matrix nor a row source. */
export function readerOf(points: Matrix | RowSource, name: string, { signal }: CallOptions): RowReader {
  if ('read' in Object(points)) {
    const { rows, cols } = points as RowSource;
    checkSizes(rows, cols, name);
    return { rows, cols, name, copy: (...range) => copyFromSource(points as RowSource, name, signal, ...range) };
  }
  const matrix = points as Matrix;
  checkShape(matrix, name);
  checkSizes(matrix.rows, matrix.cols, name);
  return rowsReader(matrix, name);
}

/** Reads rows that are held in memory and were checked. */
export function rowsReader(held: Matrix | Rows, name: string): RowReader {
  const { rows, cols } = held;
  return { rows, cols, name, held, copy: (...range) => copyFromArray(held, ...range) };
}

async function copyFromArray(
  held: Matrix | Rows,
  start: number,
  end: number,
  target: Float32Array,
  stride: number,
  slices: TimeSlices,
): Promise<void> {
  const { data, cols } = held;
  const width = 'stride' in held ? held.stride : cols;
  const step = Math.max(1, Math.floor(chunkNumbers / stride));
  for (let row = start; row < end; row += step) {
    const stop = Math.min(row + step, end);
    if (width === stride) target.set(data.subarray(row * width, stop * width), (row - start) * stride);
    else {
      for (let at = row; at < stop; at++) {
        target.set(data.subarray(at * width, at * width + cols), (at - start) * stride);
      }
    }
    if (slices.due()) await slices.pause();
  }
}

async function copyFromSource(
  source: RowSource,
  name: string,
  signal: AbortSignal | undefined,
  start: number,
  end: number,
  target: Float32Array,
  stride: number,
  slices: TimeSlices,
): Promise<void> {
  const { cols } = source;
  const step = Math.max(1, Math.floor(chunkNumbers / stride));
  for (let row = start; row < end; row += step) {
    const stop = Math.min(row + step, end);
    const part = await source.read(row, stop, { signal });
    signal?.throwIfAborted();
    if (part.rows !== stop - row || part.cols !== cols || part.data.length !== part.rows * cols) {
      throw new ShapeError(
        `${name} gave ${part.rows} rows x ${part.cols} columns for rows ${row} to ${stop - 1} of ${cols} columns`,
      );
    }
    checkShape(part, name);
    await copyFromArray(part, 0, part.rows, target.subarray((row - start) * stride), stride, slices);
  }
}

/** All rows as one array without padding: the caller's own array if it has that form, otherwise a copy. */
export async function contiguousRows({ rows, cols, held, copy }: RowReader, slices: TimeSlices): Promise<Float32Array> {
  if (held && (!('stride' in held) || held.stride === cols)) return held.data.subarray(0, rows * cols);
  const data = new Float32Array(rows * cols);
  await copy(0, rows, data, cols, slices);
  return data;
}
