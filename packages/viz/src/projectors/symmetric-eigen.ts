interface SymmetricEigen {
  /** Largest first. */
  readonly values: Float64Array;
  /** Row i is the eigenvector of value i; rows are orthonormal. Row-major [n, n]. */
  readonly vectors: Float64Array;
}

/**
 * All eigenvalues and eigenvectors of a small symmetric matrix, by cyclic Jacobi rotations until the matrix is diagonal. About 30
 * n³ operations. Deterministic.
 * Source: Golub and Van Loan, "Matrix Computations", section 8.5.
 * @param matrix row-major [n, n]; only the upper half is read
 */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) a[i * n + j] = a[j * n + i] = matrix[i * n + j]!;
  const rows = new Float64Array(n * n); // row i becomes eigenvector i
  for (let i = 0; i < n; i++) rows[i * n + i] = 1;
  for (let sweep = 0; sweep < 60 && rotateAll(a, rows, n); sweep++);

  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j]! - a[i * n + i]! || i - j);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    vectors.set(rows.subarray(from * n, (from + 1) * n), to * n);
  });
  return { values: Float64Array.from(order, (i) => a[i * n + i]!), vectors };
}

/** Sweeps once over all pairs p < q. Returns whether an entry was large enough to rotate. */
function rotateAll(a: Float64Array, rows: Float64Array, n: number): boolean {
  let rotated = false;
  for (let p = 0; p < n; p++) {
    for (let q = p + 1; q < n; q++) {
      const off = a[p * n + q]!;
      if (Math.abs(off) <= 1e-17 * Math.sqrt(Math.abs(a[p * n + p]! * a[q * n + q]!)) || Math.abs(off) < 1e-300)
        continue;
      rotated = true;
      const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * off);
      const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
      const cosine = 1 / Math.hypot(tangent, 1);
      const sine = tangent * cosine;
      for (let k = 0; k < n; k++) rotate(a, k * n + p, k * n + q, cosine, sine);
      for (let k = 0; k < n; k++) rotate(a, p * n + k, q * n + k, cosine, sine);
      for (let k = 0; k < n; k++) rotate(rows, p * n + k, q * n + k, cosine, sine);
      a[p * n + q] = a[q * n + p] = 0;
    }
  }
  return rotated;
}

function rotate(values: Float64Array, i: number, j: number, cosine: number, sine: number): void {
  const x = values[i]!;
  const y = values[j]!;
  values[i] = cosine * x - sine * y;
  values[j] = sine * x + cosine * y;
}
