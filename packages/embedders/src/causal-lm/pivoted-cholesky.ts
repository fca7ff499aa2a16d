import { type CallOptions, timeSlices } from '@rarefy/core';

/** A factor R with RᵀR = G, of as many rows as G has rank. */
export interface CholeskyFactor {
  readonly rank: number;
  /** R, row-major [rank, n]: row k is zero at the columns of `order` before place k. */
  readonly rows: Float64Array;
  /** All n columns in the order in which they were eliminated. */
  readonly order: Int32Array;
}

/**
 * Cholesky with diagonal pivoting, in float64, of a positive semidefinite matrix; it ends where no more than rounding is left, so
 * a matrix without full rank keeps its exact factor. Source: Higham, "Accuracy and Stability of Numerical Algorithms", §10.3.
 * @param matrix row-major [n, n], both halves
 * @param error relative error of the entries of `matrix`, in units of float64's epsilon
 */
export async function pivotedCholesky(
  matrix: Float64Array,
  n: number,
  error: number,
  { signal }: CallOptions = {},
): Promise<CholeskyFactor> {
  const slices = timeSlices(signal);
  const left = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i]!); // the diagonal of what is not yet factored
  const tolerance = left.reduce((most, value) => Math.max(most, value), 0) * Number.EPSILON * (error + n);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const rows = new Float64Array(n * n);
  let rank = 0;
  for (; rank < n; rank++) {
    let best = rank;
    for (let place = rank + 1; place < n; place++) if (left[order[place]!]! > left[order[best]!]!) best = place;
    const pivot = order[best]!;
    order[best] = order[rank]!;
    order[rank] = pivot;
    const row = rows.subarray(rank * n, (rank + 1) * n);
    row.set(matrix.subarray(pivot * n, (pivot + 1) * n));
    for (let k = 0; k < rank; k++) {
      const base = k * n;
      const factor = rows[base + pivot]!;
      for (let i = 0; i < n; i++) row[i]! -= factor * rows[base + i]!;
    }
    if (!(row[pivot]! > tolerance)) break;
    const root = Math.sqrt(row[pivot]!);
    for (let place = 0; place < rank; place++) row[order[place]!] = 0;
    row[pivot] = root;
    for (let place = rank + 1; place < n; place++) {
      const i = order[place]!;
      row[i]! /= root;
      left[i]! -= row[i]! ** 2;
    }
    if (slices.due()) await slices.pause();
  }
  return { rank, rows: rows.slice(0, rank * n), order };
}
