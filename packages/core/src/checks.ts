import { described } from './check-items.js';
import { InvalidArgumentError, NotFiniteError, ShapeError } from './errors.js';
import type { Weighting, WeightTransform } from './spec/density.js';
import type { Matrix } from './spec/matrix.js';

/** A value for messages: a text in quotes, so that "3" differs from 3; objects and functions by their kind. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' || typeof value === 'function' ? described(value) : String(value);
}

/** @throws InvalidArgumentError if `value` is not an integer in [least, most]. The message starts with `name`. */
export function checkInteger(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `≥ ${least}` : `in [${least}, ${most}]`;
  throw new InvalidArgumentError(`${name} must be an integer ${range}, got ${shown(value)}`);
}

/** @throws InvalidArgumentError if `value` is not a finite number in [least, most]. The message starts with `name`. */
export function checkNumber(name: string, value: number, least: number, most = Number.POSITIVE_INFINITY): void {
  if (Number.isFinite(value) && value >= least && value <= most) return;
  const range = most === Number.POSITIVE_INFINITY ? `finite and ≥ ${least}` : `a number in [${least}, ${most}]`;
  throw new InvalidArgumentError(`${name} must be ${range}, got ${shown(value)}`);
}

/** @throws InvalidArgumentError if `seed` is not a safe integer. */
export function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed)) throw new InvalidArgumentError(`seed must be a safe integer, got ${shown(seed)}`);
}

/** Index of the first NaN or infinity in `values` from `start` to `end` - 1, or -1 if all are finite. */
export function firstNotFinite(values: ArrayLike<number>, start = 0, end = values.length): number {
  for (let index = start; index < end; index++) if (!Number.isFinite(values[index])) return index;
  return -1;
}

/**
 * @param name singular noun for the message, such as `density`
 * @throws NotFiniteError if a value is NaN or infinite. The message names the first such position.
 */
export function checkFinite(values: ArrayLike<number>, name: string): void {
  const bad = firstNotFinite(values);
  if (bad >= 0) throw new NotFiniteError(`${name} ${shown(values[bad])} at position ${bad} must be finite`);
}

/**
 * Checks a matrix without reading its numbers.
 * @param name plural noun for the message, such as `points`
 * @throws InvalidArgumentError if `matrix` is not a matrix, such as an array of rows, or `data` is not a Float32Array;
 * ShapeError if `data.length` is not `rows * cols`.
 */
export function checkShape(matrix: Matrix, name: string): void {
  const { data, rows, cols } = Object(matrix) as Matrix;
  if (data === undefined) {
    const type = ArrayBuffer.isView(matrix) ? Object.prototype.toString.call(matrix).slice(8, -1) : described(matrix);
    const hint = type === 'a promise' ? 'did you forget await?' : 'matrix() of @rarefy/core makes one';
    throw new InvalidArgumentError(`${name} must be a matrix { data, rows, cols }, got ${type}; ${hint}`);
  }
  const type = Object.prototype.toString.call(data).slice(8, -1); // instanceof fails for arrays of another realm
  if (type !== 'Float32Array') throw new InvalidArgumentError(`${name} must be in a Float32Array, got ${type}`);
  if (!(Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 0 && data.length === rows * cols)) {
    throw new ShapeError(
      `${name} have ${data.length} numbers, which is not ${rows} rows x ${cols} columns; make data.length equal rows * cols`,
    );
  }
}

/**
 * Checks shape and numbers of a matrix.
 * @param name plural noun for the message, such as `points`
 * @param firstRow row number of the first row, for the message; default 0
 * @throws InvalidArgumentError if `data` is not a Float32Array; ShapeError if `data.length` is not `rows * cols`; NotFiniteError if
 *   a number is NaN or infinite. The message names row and column of the first such number.
 */
export function checkMatrix(matrix: Matrix, name: string, firstRow = 0): void {
  checkShape(matrix, name);
  const bad = firstNotFinite(matrix.data);
  if (bad >= 0) throw notFiniteAt(matrix, bad, name, firstRow);
}

/**
 * The error for the NaN or infinity at `index` of a matrix, for callers that look for it block by block.
 * @param name plural noun for the message, such as `points`
 * @param firstRow row number of the matrix's first row, for the message; default 0
 */
export function notFiniteAt({ data, cols }: Matrix, index: number, name: string, firstRow = 0): NotFiniteError {
  const row = firstRow + Math.floor(index / cols);
  return new NotFiniteError(
    `${name} have ${data[index]} in row ${row}, column ${index % cols}; remove or correct that row`,
  );
}

/**
 * @throws InvalidArgumentError if `weighting` is not a function, or is a weight transform, which takes weights and not densities.
 */
export function checkWeighting(weighting: Weighting): void {
  if (typeof weighting !== 'function') {
    throw new InvalidArgumentError(`a weighting must be a function from densities to weights, got ${shown(weighting)}`);
  }
  if ((weighting as Weighting | WeightTransform).kind !== 'weight-transform') return;
  throw new InvalidArgumentError(
    'a weight transform takes weights, not densities, and alone would favor crowded rows; give it a weighting to start from, such as compose(inverseDensity(), targetEss(0.5))',
  );
}
