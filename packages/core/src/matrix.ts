import { described } from './check-items.js';
import { checkInteger } from './checks.js';
import { InvalidArgumentError, NotFiniteError, ShapeError } from './errors.js';
import type { Matrix } from './spec/matrix.js';

/**
 * Makes a {@link Matrix} from plain or typed arrays: one array per row, or all numbers in one array, row after row. Copies the
 * numbers, rounded to float32.
 * @param rows one array per row, all of the same length: rows x cols. No rows give 0 x 0, or 0 x `cols`.
 * @param cols number of columns; required for numbers in one array
 * @throws ShapeError if the rows differ in length or the numbers do not fill the last row; NotFiniteError if a value is not a
 * number, is
 *   NaN or infinite, or exceeds float32; InvalidArgumentError if `rows` is not an array, or `cols` is missing or not an integer ≥
 *   0.
 */
export function matrix(rows: readonly ArrayLike<number>[], cols?: number): Matrix;
export function matrix(numbers: ArrayLike<number>, cols: number): Matrix;
export function matrix(values: readonly ArrayLike<number>[] | ArrayLike<number>, cols?: number): Matrix {
  if (!Array.isArray(values) && !ArrayBuffer.isView(values)) {
    throw new InvalidArgumentError(`matrix needs an array of rows, or of numbers, got ${described(values)}`);
  }
  if (cols !== undefined) checkInteger('cols', cols, 0);
  return typeof values[0] === 'object'
    ? fromRows(values as readonly ArrayLike<number>[], cols)
    : fromNumbers(values as ArrayLike<number>, cols);
}

function fromRows(rows: readonly ArrayLike<number>[], cols = rows[0]!.length): Matrix {
  const data = new Float32Array(rows.length * cols);
  for (let row = 0; row < rows.length; row++) {
    const length = rows[row]?.length;
    if (length !== cols)
      throw new ShapeError(`row ${row} has ${length} numbers, expected ${cols}; give every row the same length`);
    for (let column = 0; column < cols; column++)
      data[row * cols + column] = checkedNumber(rows[row]![column]!, row, column);
  }
  return { data, rows: rows.length, cols };
}

function fromNumbers(numbers: ArrayLike<number>, cols?: number): Matrix {
  if (numbers.length === 0) return { data: new Float32Array(0), rows: 0, cols: cols ?? 0 };
  if (cols === undefined)
    throw new InvalidArgumentError('matrix needs `cols` for numbers in one array, such as matrix(numbers, 384)');
  const rows = numbers.length / cols;
  if (!Number.isInteger(rows)) throw new ShapeError(`${numbers.length} numbers do not fill rows of ${cols} columns`);
  const data = Float32Array.from(numbers, (value, index) =>
    checkedNumber(value, Math.floor(index / cols), index % cols),
  );
  return { data, rows, cols };
}

/** The number in float32. Rejects other types too, because typed arrays would take null for 0 and '1' for 1. */
function checkedNumber(value: number, row: number, column: number): number {
  if (typeof value === 'number' && Number.isFinite(Math.fround(value))) return value;
  throw new NotFiniteError(
    `expected a finite number in row ${row}, column ${column}, got ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`,
  );
}
