import { type CallOptions, counterRandom, type Matrix } from '@rarefy/core';
import { symmetricEigen } from './symmetric-eigen.js';

interface PrincipalDirections {
  /** Mean row, [cols]. */
  readonly mean: Float64Array;
  /** Orthonormal, [cols] each, largest variance first. Fewer than requested if the points vary in fewer directions. */
  readonly directions: readonly Float64Array[];
  /** Variance along each direction, dividing by the number of rows. */
  readonly variances: readonly number[];
  /** Whether every direction is an eigenvector to within 1e-9 of the largest variance. */
  readonly converged: boolean;
}

const depth = 6; // powers of the covariance in one Krylov basis
const maxRestarts = 100;

/**
 * The `count` directions of largest variance, by a restarted block Krylov method: it builds a basis of start vectors and their
 * products with the covariance, finds the best directions within it, and starts again from those. The covariance is never formed,
 * so memory is a few rows for any shape. About 20 passes over the points for text embeddings. Deterministic.
 *
 * A variance below the float32 rounding error of the points (1e-14 of their mean square) counts as 0.
 * Source: Musco and Musco, "Randomized block Krylov methods for stronger and faster approximate SVD", NeurIPS 2015.
 * @throws the signal's reason on abort.
 */
export async function principalDirections(
  points: Matrix,
  count: number,
  { signal }: CallOptions = {},
): Promise<PrincipalDirections> {
  const { rows, cols } = points;
  const mean = meanRow(points);
  const random = counterRandom(0);
  let start: Float64Array[] = Array.from({ length: count + 2 }, (_, i) =>
    Float64Array.from({ length: cols }, (_, j) => random.uniform(i * cols + j) - 0.5),
  );
  const noise = 1e-14 * meanSquare(points);
  for (let restart = 1; ; restart++) {
    // An orthonormal basis and its products with the covariance, block by block.
    const basis: Float64Array[] = [];
    const products: Float64Array[] = [];
    for (let power = 0; power <= depth && start.length > 0; power++) {
      const block = start.filter((vector) => orthonormalize(vector, basis));
      signal?.throwIfAborted();
      products.push(...covarianceTimes(block, points, mean));
      start = products.slice(products.length - block.length).map((product) => product.slice());
      await new Promise((resolve) => setImmediate(resolve)); // lets an abort through
    }
    // Rayleigh-Ritz: eigenvectors of the covariance within the span of the basis.
    const size = basis.length;
    const { values, vectors } = symmetricEigen(
      Float64Array.from({ length: size * size }, (_, index) =>
        dot(basis[Math.floor(index / size)]!, products[index % size]!),
      ),
      size,
    );
    const combine = (parts: readonly Float64Array[], i: number) =>
      parts.reduce((sum, part, j) => addScaled(sum, part, vectors[i * size + j]!), new Float64Array(cols));
    const kept = Array.from({ length: Math.min(count, size) }, (_, i) => i).filter((i) => values[i]! > noise);
    const residual = Math.max(
      0,
      ...kept.map((i) => norm(addScaled(combine(products, i), combine(basis, i), -values[i]!)) / values[0]!),
    );
    if (residual <= 1e-9 || restart === maxRestarts || rows < 2) {
      const directions = kept.map((i) => combine(basis, i));
      return { mean, directions, variances: kept.map((i) => values[i]!), converged: residual <= 1e-9 };
    }
    start = Array.from({ length: Math.min(count + 2, size) }, (_, i) => combine(basis, i));
  }
}

/** (1 / rows) Σ (x - mean) (x - mean)ᵀ v for each v of the block, in one pass over the points. */
function covarianceTimes(
  block: readonly Float64Array[],
  { data, rows, cols }: Matrix,
  mean: Float64Array,
): Float64Array[] {
  const products = block.map(() => new Float64Array(cols));
  const centered = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < cols; j++) centered[j] = data[row * cols + j]! - mean[j]!;
    for (let i = 0; i < block.length; i++) addScaled(products[i]!, centered, dot(block[i]!, centered) / rows);
  }
  return products;
}

/** Makes `vector` orthogonal to the basis, with length 1, and adds it. Returns false and adds nothing if the basis spans it. */
function orthonormalize(vector: Float64Array, basis: Float64Array[]): boolean {
  const before = norm(vector);
  // Two passes are enough (Kahan); one leaves rounding errors if the vector is nearly in the span.
  for (let pass = 0; pass < 2; pass++) for (const other of basis) addScaled(vector, other, -dot(other, vector));
  const length = norm(vector);
  if (!(length > 1e-10 * before)) return false;
  for (let j = 0; j < vector.length; j++) vector[j]! /= length;
  basis.push(vector);
  return true;
}

function meanRow({ data, rows, cols }: Matrix): Float64Array {
  const mean = new Float64Array(cols);
  for (let row = 0; row < rows; row++) for (let j = 0; j < cols; j++) mean[j]! += data[row * cols + j]! / rows;
  return mean;
}

function meanSquare({ data, rows }: Matrix): number {
  let sum = 0;
  for (const value of data) sum += value ** 2;
  return sum / Math.max(1, rows);
}

function addScaled(target: Float64Array, vector: Float64Array, factor: number): Float64Array {
  for (let j = 0; j < target.length; j++) target[j]! += factor * vector[j]!;
  return target;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!;
  return sum;
}

function norm(vector: Float64Array): number {
  return Math.sqrt(dot(vector, vector));
}
