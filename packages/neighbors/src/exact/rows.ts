import { type Matrix, NotFiniteError, ShapeError } from '@rarefy/core';
import { innerProduct } from './canonical-distance.js';
import type { RowReader } from './join/row-reader.js';
import type { TimeSlices } from './time-slices.js';

/**
 * Vectors as the distance loops want them: columns filled up with zeros to a multiple of 8, which changes no sum, and the
 * squared length of each row. The arrays may be longer than `rows` need, to grow in place.
 */
export interface Rows {
  readonly data: Float32Array;
  readonly squaredNorms: Float64Array;
  readonly rows: number;
  /** Columns without the zeros; 0 until the first row comes. */
  readonly cols: number;
  /** Columns with them. */
  readonly stride: number;
}

export const noRows: Rows = {
  data: new Float32Array(0),
  squaredNorms: new Float64Array(0),
  rows: 0,
  cols: 0,
  stride: 0,
};

/**
 * `earlier` and below it a copy of what the reader reads. `earlier` stays valid: only space after its last row is written.
 * @throws ShapeError when the sizes do not fit; NotFiniteError naming the first row with a NaN or infinity.
 */
export async function appendReader(earlier: Rows, reader: RowReader, slices: TimeSlices): Promise<Rows> {
  const { rows, cols, name } = reader;
  if (rows === 0) return earlier;
  const grown = grow(earlier, rows, cols, name);
  await reader.copy(0, rows, grown.data.subarray(earlier.rows * grown.stride), grown.stride, slices);
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    setNorm(grown, earlier.rows + row, row, name);
  }
  return grown;
}

/** Room for `added` more rows. */
function grow(earlier: Rows, added: number, cols: number, name: string): Rows {
  if (earlier.rows > 0 && earlier.cols !== cols) {
    throw new ShapeError(
      `${name} have ${cols} columns and the index holds rows of ${earlier.cols}; give the same columns`,
    );
  }
  const rows = earlier.rows + added;
  const stride = Math.ceil(cols / 8) * 8;
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

/** @param given the row's number among those that were given, for messages */
function setNorm({ data, squaredNorms, cols, stride }: Rows, row: number, given: number, name: string): void {
  const start = row * stride;
  const norm = innerProduct(data, start, data, start, stride);
  // Squares of float32 numbers and their sums are finite in float64.
  if (!Number.isFinite(norm)) throw firstNotFinite(data.subarray(start, start + cols), given, name);
  squaredNorms[row] = norm;
}

/** The error for a row that holds a NaN or infinity. */
export function firstNotFinite(values: Float32Array, row: number, name: string): NotFiniteError {
  const column = values.findIndex((value) => !Number.isFinite(value));
  return new NotFiniteError(`${name} hold ${values[column]} in row ${row}, column ${column}; remove or mend that row`);
}

/** @throws ShapeError when rows and columns do not fit the numbers. */
export function checkShape(
  { data, rows, cols }: Omit<Matrix, 'data'> & { readonly data: { readonly length: number } },
  name: string,
): void {
  if (!(Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 0 && data.length === rows * cols)) {
    throw new ShapeError(
      `${name} say ${rows} rows x ${cols} columns and hold ${data.length} numbers; these must agree`,
    );
  }
  if (rows > 0 && cols === 0)
    throw new ShapeError(`${name} have ${rows} rows without columns; give at least one column`);
}
