import { type Matrix, NotFiniteError, ShapeError } from '@rarefy/core';

/**
 * @param cols what an earlier fit has
 * @throws ShapeError when the sizes do not fit; NotFiniteError naming the row of the first NaN or infinity.
 */
export function checkPoints({ data, rows, cols }: Matrix, fittedCols = cols): void {
  if (!(Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 1 && data.length === rows * cols)) {
    throw new ShapeError(`points say ${rows} rows x ${cols} columns and hold ${data.length} numbers; these must agree`);
  }
  if (cols !== fittedCols) {
    throw new ShapeError(`points have ${cols} columns and the fit has ${fittedCols}; give points of the same embedder`);
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new NotFiniteError(
    `points hold ${data[bad]} in row ${Math.floor(bad / cols)}, column ${bad % cols}; remove or mend that row`,
  );
}
