import { InvalidArgumentError, NotFiniteError, ShapeError } from '../errors.js';
import type { Matrix } from '../spec/matrix.js';

/** Index of the first NaN or infinity in `values` from `start` to `end` - 1, or -1. */
export function firstNotFinite(values: ArrayLike<number>, start = 0, end = values.length): number {
  for (let index = start; index < end; index++) if (!Number.isFinite(values[index])) return index;
  return -1;
}

/**
 * @param name a noun in the singular for the message, such as `density`
 * @throws NotFiniteError naming the position of the first NaN or infinity.
 */
export function checkFinite(values: ArrayLike<number>, name: string): void {
  const bad = firstNotFinite(values);
  if (bad >= 0) throw new NotFiniteError(`${name} ${values[bad]} at position ${bad} must be finite`);
}

/**
 * @param name a noun in the plural for the message, such as `points`
 * @throws InvalidArgumentError if the data is not a Float32Array; ShapeError if the sizes do not agree.
 */
export function checkShape({ data, rows, cols }: Matrix, name: string): void {
  const type = Object.prototype.toString.call(data).slice(8, -1); // instanceof fails for arrays of another realm
  if (type !== 'Float32Array') throw new InvalidArgumentError(`${name} must be in a Float32Array, got ${type}`);
  if (!(Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 0 && data.length === rows * cols)) {
    throw new ShapeError(
      `${name} have ${data.length} numbers, which is not ${rows} rows x ${cols} columns; make data.length equal rows * cols`,
    );
  }
}

/**
 * @param name a noun in the plural for the message, such as `points`
 * @param firstRow row number of the first row, for the message; default 0
 * @throws NotFiniteError naming row and column of the first NaN or infinity; otherwise as {@link checkShape}.
 */
export function checkMatrix(matrix: Matrix, name: string, firstRow = 0): void {
  checkShape(matrix, name);
  const bad = firstNotFinite(matrix.data);
  if (bad >= 0) throw notFiniteAt(matrix, bad, name, firstRow);
}

/** The error for NaN or infinity at `index` of a matrix. */
export function notFiniteAt({ data, cols }: Matrix, index: number, name: string, firstRow = 0): NotFiniteError {
  const row = firstRow + Math.floor(index / cols);
  return new NotFiniteError(
    `${name} have ${data[index]} in row ${row}, column ${index % cols}; remove or correct that row`,
  );
}
