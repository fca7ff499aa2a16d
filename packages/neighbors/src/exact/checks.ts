import { InvalidArgumentError, type Metric, ShapeError } from '@rarefy/core';
import { canonicalDistance } from './canonical-distance.js';

const mostEntries = 2 ** 31 - 1;

/** @throws InvalidArgumentError for a name that is no metric. */
export function checkMetric(metric: Metric): void {
  if (Object.hasOwn(canonicalDistance, metric)) return;
  throw new InvalidArgumentError(`metric must be one of ${Object.keys(canonicalDistance).join(', ')}, got ${metric}`);
}

/** @throws InvalidArgumentError for a number of neighbours that is no integer above 0, or too large for lists of so many rows. */
export function checkCount(k: number, rows: number): void {
  if (!(Number.isInteger(k) && k >= 1)) throw new InvalidArgumentError(`k must be an integer ≥ 1, got ${k}`);
  if (k * rows <= mostEntries) return;
  throw new InvalidArgumentError(`k must be at most ${mostEntries} / rows, got ${k} for ${rows} rows; ask for fewer`);
}

/** @throws ShapeError when queries do not fit the rows of an index, or ids to leave out do not fit the queries. */
export function checkQueries(
  queries: { readonly rows: number; readonly cols: number },
  held: { readonly rows: number; readonly cols: number },
  exclude: Int32Array | undefined,
): void {
  if (exclude !== undefined && exclude.length !== queries.rows) {
    throw new ShapeError(`exclude has ${exclude.length} ids for ${queries.rows} queries; give one id a query`);
  }
  if (held.rows > 0 && queries.rows > 0 && queries.cols !== held.cols) {
    throw new ShapeError(`queries have ${queries.cols} columns and the index holds rows of ${held.cols}`);
  }
}
