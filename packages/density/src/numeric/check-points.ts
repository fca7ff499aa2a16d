import { checkShape, firstNotFinite, type Matrix, notFiniteAt, ShapeError, type TimeSlices } from '@rarefy/core';

/** Numbers checked between two looks at the clock: about a millisecond. */
const chunkNumbers = 2 ** 20;

/**
 * Checks points and lets other work run in between.
 * @param fittedCols columns of the rows that were fitted before
 * @throws InvalidArgumentError if the data is not a Float32Array; ShapeError if the sizes do not agree, or the columns differ from
 * `fittedCols`; NotFiniteError naming row and column of the first NaN or infinity.
 */
export async function checkPoints(points: Matrix, slices: TimeSlices, fittedCols?: number): Promise<void> {
  checkShape(points, 'points');
  const { data, cols } = points;
  if (cols === 0) throw new ShapeError('points have 0 columns; give at least one');
  if (fittedCols !== undefined && cols !== fittedCols) {
    throw new ShapeError(`points have ${cols} columns and the fit has ${fittedCols}; give points of the same embedder`);
  }
  for (let start = 0; start < data.length; start += chunkNumbers) {
    const bad = firstNotFinite(data, start, Math.min(start + chunkNumbers, data.length));
    if (bad >= 0) throw notFiniteAt(points, bad, 'points');
    if (slices.due()) await slices.pause();
  }
}
