import { InvalidArgumentError, type Matrix, NotFiniteError, ShapeError, type TimeSlices } from '@rarefy/core';

/** Numbers looked at in one go: about a millisecond. */
const chunkNumbers = 2 ** 20;

/**
 * @param fittedCols what an earlier fit has
 * @throws InvalidArgumentError for other numbers than float32; ShapeError when the sizes do not fit; NotFiniteError naming the row of
 * the first NaN or infinity.
 */
export async function checkPoints({ data, rows, cols }: Matrix, slices: TimeSlices, fittedCols = cols): Promise<void> {
  const kind = Object.prototype.toString.call(data).slice(8, -1); // not by instanceof, which an array of another realm fails
  if (kind !== 'Float32Array') throw new InvalidArgumentError(`points must be in a Float32Array, got ${kind}`);
  if (!(Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 1 && data.length === rows * cols)) {
    throw new ShapeError(`points say ${rows} rows x ${cols} columns and hold ${data.length} numbers; these must agree`);
  }
  if (cols !== fittedCols) {
    throw new ShapeError(`points have ${cols} columns and the fit has ${fittedCols}; give points of the same embedder`);
  }
  for (let start = 0; start < data.length; start += chunkNumbers) {
    const bad = firstNotFinite(data, start, Math.min(start + chunkNumbers, data.length));
    if (bad >= 0) {
      throw new NotFiniteError(
        `points hold ${data[bad]} in row ${Math.floor(bad / cols)}, column ${bad % cols}; remove or mend that row`,
      );
    }
    if (slices.due()) await slices.pause();
  }
}

function firstNotFinite(data: Float32Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if (!Number.isFinite(data[at])) return at;
  return -1;
}
