import { notFiniteAt, ShapeError, type TimeSlices } from '@rarefy/core';
import { innerProduct, paddedColumns, type Rows } from '../distance/canonical-distance.js';
import type { RowReader } from './row-reader.js';

export const noRows: Rows = {
  data: new Float32Array(0),
  squaredNorms: new Float64Array(0),
  rows: 0,
  cols: 0,
  stride: 0,
};

/**
 * `earlier`, followed by a copy of the rows that `reader` reads. `earlier` stays valid: only memory after its last row is written.
 * @throws ShapeError if the number of columns differs; NotFiniteError naming the first row with NaN or infinity.
 */
export async function appendRows(earlier: Rows, reader: RowReader, slices: TimeSlices): Promise<Rows> {
  const { rows, cols, name } = reader;
  if (rows === 0) return earlier;
  if (earlier.rows > 0 && earlier.cols !== cols) {
    throw new ShapeError(
      `${name} have ${cols} columns and the index holds rows of ${earlier.cols}; give the same columns`,
    );
  }
  const grown = withRoomFor(earlier, rows, cols);
  const { data, squaredNorms, stride } = grown;
  await reader.copy(0, rows, data.subarray(earlier.rows * stride), stride, slices);
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    const start = (earlier.rows + row) * stride;
    const norm = innerProduct(data, start, data, start, stride);
    // Squares of float32 numbers and their sums are finite in float64.
    if (!Number.isFinite(norm)) throw notFiniteRow(data.subarray(start, start + cols), row, name);
    squaredNorms[earlier.rows + row] = norm;
  }
  return grown;
}

function withRoomFor(earlier: Rows, added: number, cols: number): Rows {
  const rows = earlier.rows + added;
  const stride = paddedColumns(cols);
  let { data, squaredNorms } = earlier;
  if (squaredNorms.length < rows) {
    const capacity = earlier.rows === 0 ? rows : Math.max(rows, 2 * squaredNorms.length);
    data = new Float32Array(capacity * stride);
    data.set(earlier.data.subarray(0, earlier.rows * stride));
    squaredNorms = new Float64Array(capacity);
    squaredNorms.set(earlier.squaredNorms.subarray(0, earlier.rows));
  }
  return { data, squaredNorms, rows, cols, stride };
}

/** A copy of some rows. @param squares x · x of every row of the reader */
export async function gatherRows(
  reader: RowReader,
  rows: Int32Array,
  squares: Float64Array,
  slices: TimeSlices,
): Promise<Rows> {
  const stride = paddedColumns(reader.cols);
  const data = new Float32Array(rows.length * stride);
  for (let index = 0, end = 0; index < rows.length; index = end) {
    for (end = index + 1; end < rows.length && rows[end] === rows[end - 1]! + 1; ) end++; // consecutive rows are read together
    await reader.copy(rows[index]!, rows[end - 1]! + 1, data.subarray(index * stride), stride, slices);
  }
  const squaredNorms = Float64Array.from(rows, (row) => squares[row]!);
  return { data, squaredNorms, rows: rows.length, cols: reader.cols, stride };
}

/** The error for a row with a NaN or infinity. @param row its number, for the message */
export function notFiniteRow(values: Float32Array, row: number, name: string): Error {
  const column = values.findIndex((value) => !Number.isFinite(value));
  return notFiniteAt({ data: values, rows: 1, cols: values.length }, column, name, row);
}

/** The least and the largest x · x of some rows; of all rows by default. @param squares x · x of every row */
export function squareRange(
  squares: Float64Array,
  rows?: Int32Array,
): { readonly least: number; readonly most: number } {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let index = 0; index < (rows ?? squares).length; index++) {
    const square = squares[rows?.[index] ?? index]!;
    least = Math.min(least, square);
    most = Math.max(most, square);
  }
  return { least, most };
}

/** The power of two that brings a row with this x · x to a length in (0.5, 1]; 1 for a zero row. */
export function unitScale(square: number): number {
  return square === 0 ? 1 : 2 ** -Math.ceil(Math.log2(square) / 2);
}
