import { type CallOptions, InvalidArgumentError, type Matrix, type RowSource, ShapeError } from '@rarefy/core';
import { checkShape, type Rows } from '../rows.js';
import type { TimeSlices } from '../time-slices.js';

/** Rows of any kind, to be copied in blocks. */
export interface RowReader {
  readonly rows: number;
  readonly cols: number;
  /** What the rows are, for messages. */
  readonly name: string;
  /** All rows, where they lie one after the other without columns of zeros. */
  readonly array?: Float32Array | undefined;
  /** Copies rows [start, end) to `target`, `stride` numbers each, the first one to row 0; the columns behind are left as they are. */
  copy(start: number, end: number, target: Float32Array, stride: number, slices: TimeSlices): Promise<void>;
}

/** Copied at once: about a millisecond. */
const chunkNumbers = 2 ** 20;

/** @throws ShapeError when the sizes do not fit; InvalidArgumentError for other numbers than float32. */
export function readerOf(points: Matrix | RowSource, name: string, options: CallOptions): RowReader {
  if ('read' in points) return sourceReader(points, name, options);
  checkShape(points, name);
  checkNumbers(points.data, name);
  return arrayReader(points.data, points.rows, points.cols, points.cols, name);
}

export const rowsReader = ({ data, rows, cols, stride }: Rows, name: string): RowReader =>
  arrayReader(data, rows, cols, stride, name);

function arrayReader(data: Float32Array, rows: number, cols: number, width: number, name: string): RowReader {
  return {
    rows,
    cols,
    name,
    array: width === cols ? data.subarray(0, rows * cols) : undefined,
    async copy(start, end, target, stride, slices) {
      const step = Math.max(1, Math.floor(chunkNumbers / stride));
      for (let row = start; row < end; row += step) {
        const stop = Math.min(row + step, end);
        if (width === stride) target.set(data.subarray(row * width, stop * width), (row - start) * stride);
        else
          for (let at = row; at < stop; at++)
            target.set(data.subarray(at * width, at * width + cols), (at - start) * stride);
        if (slices.due()) await slices.pause();
      }
    },
  };
}

/** Not by `instanceof`, which an array of another realm fails. */
function checkNumbers(data: Float32Array, name: string): void {
  const kind = Object.prototype.toString.call(data).slice(8, -1);
  if (kind !== 'Float32Array') throw new InvalidArgumentError(`${name} must be in a Float32Array, got ${kind}`);
}

function sourceReader(source: RowSource, name: string, { signal }: CallOptions): RowReader {
  const { rows, cols } = source;
  checkShape({ data: { length: rows * cols }, rows, cols }, name);
  return {
    rows,
    cols,
    name,
    async copy(start, end, target, stride, slices) {
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
        checkNumbers(part.data, name);
        await arrayReader(part.data, part.rows, cols, cols, name).copy(
          0,
          part.rows,
          target.subarray((row - start) * stride),
          stride,
          slices,
        );
      }
    },
  };
}
