import { checkInteger, InvalidArgumentError, ShapeError } from '@rarefy/core';

const mostEntries = 2 ** 31 - 1;

/** @throws InvalidArgumentError if `k` is not an integer ≥ 1, or if lists of `rows` x `k` entries are too long for an array. */
export function checkCount(k: number, rows: number): void {
  checkInteger('k', k, 1);
  if (k * rows <= mostEntries) return;
  throw new InvalidArgumentError(`k must be at most ${mostEntries} / rows, got ${k} for ${rows} rows; ask for fewer`);
}

/** @throws ShapeError if the sizes are not integers ≥ 0, or if there are rows without columns. */
export function checkSizes(rows: number, cols: number, name: string): void {
  if (!(Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 0)) {
    throw new ShapeError(`${name} have ${rows} rows x ${cols} columns; both must be integers ≥ 0`);
  }
  if (rows > 0 && cols === 0)
    throw new ShapeError(`${name} have ${rows} rows without columns; give at least one column`);
}

/** @throws ShapeError if the queries do not have the columns of the index, or if `exclude` does not have one id per query. */
export function checkQueries(
  queries: { readonly rows: number; readonly cols: number },
  held: { readonly rows: number; readonly cols: number },
  exclude: Int32Array | undefined,
): void {
  if (exclude !== undefined && exclude.length !== queries.rows) {
    throw new ShapeError(`exclude has ${exclude.length} ids for ${queries.rows} queries; give one id per query`);
  }
  if (held.rows > 0 && queries.rows > 0 && queries.cols !== held.cols) {
    throw new ShapeError(`queries have ${queries.cols} columns and the index holds rows of ${held.cols}`);
  }
}
