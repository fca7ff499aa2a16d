import { type CallOptions, timeSlices } from '@rarefy/core';

/** A factor R with RᵀR = G and as many rows as the rank of G. */
interface CholeskyFactor {
  readonly rank: number;
  /** R, row-major [rank, n]: row k is zero in the columns order[0] to order[k - 1]. */
  readonly rows: Float64Array;
  /** All n columns, in the order in which they were eliminated. */
  readonly order: Int32Array;
}

/**
 * Cholesky factorization with diagonal pivoting, in float64, of a positive semidefinite matrix. It stops where only rounding error
 * is left, so a matrix without full rank keeps an exact factor.
 * Source: Higham, "Accuracy and Stability of Numerical Algorithms", section 10.3.
 * @param matrix row-major [n, n], both halves
 * @param error relative error of the entries of `matrix`, in units of float64's epsilon
 * @throws the signal's reason on abort.
 */
export async function pivotedCholesky(
  matrix: Float64Array,
  n: number,
  error: number,
  { signal }: CallOptions = {},
): Promise<CholeskyFactor> {
  const slices = timeSlices(signal);
  const left = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i]!); // diagonal of the part that is not yet factored
  const tolerance = left.reduce((most, value) => Math.max(most, value), 0) * Number.EPSILON * (error + n);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const rows = new Float64Array(n * n);
  let rank = 0;
  for (; rank < n; rank++) {
    let best = rank;
    for (let k = rank + 1; k < n; k++) if (left[order[k]!]! > left[order[best]!]!) best = k;
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
    for (let k = 0; k < rank; k++) row[order[k]!] = 0;
    row[pivot] = root;
    for (let k = rank + 1; k < n; k++) {
      const i = order[k]!;
      row[i]! /= root;
      left[i]! -= row[i]! ** 2;
    }
    if (slices.due()) await slices.pause();
  }
  return { rank, rows: rows.slice(0, rank * n), order };
}
