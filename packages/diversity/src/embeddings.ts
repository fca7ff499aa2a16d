import { checkFinite, checkMatrix, checkOptions, InvalidArgumentError, type Matrix, ShapeError } from '@rarefy/core';
import { EigenvalueDecomposition, Matrix as SquareMatrix } from 'ml-matrix';
import { checkList, checkOrder, hillNumber } from './classes.js';

export interface VendiOptions {
  /** Order of the entropy, in (0, Infinity]; default 1 (Shannon). Larger orders give more weight to frequent kinds of items. */
  readonly order?: number;
  /** Weight of each item, ≥ 0, with a positive sum; default: all equal. Divided by their sum. */
  readonly probabilities?: ArrayLike<number>;
}

const vendiOptionNames = ['order', 'probabilities'] satisfies (keyof VendiOptions)[];

/**
 * Vendi score: the effective number of distinct items, given how similar they are. It is the {@link effectiveNumber} of the
 * eigenvalues of K / n for a similarity matrix K. 1 if all items are equal, n if none resembles another. Order 2 is computed
 * without eigenvalues.
 *
 * Trap: at most n, so compare equal numbers of items, and near n it saturates: among few answers to one prompt it can hardly
 * change. For embeddings it is also at most their number of columns. The scale of the similarity decides the value: embeddings
 * whose cosines all lie near 0.8 give values near 1.
 *
 * Source: Friedman and Dieng, "The Vendi score: a diversity evaluation metric for machine learning", TMLR 2023, arXiv 2210.02410;
 * orders other than 1: Pasarkar and Dieng, "Cousins of the Vendi score", AISTATS 2024, arXiv 2310.12952.
 * @param similarity row-major n x n, symmetric, positive semidefinite, with ones on the diagonal; symmetry and ones are checked
 *   to within 1e-6
 * @throws ShapeError if `similarity` is not square or `probabilities` has another length; NotFiniteError if a number is NaN or
 *   infinite; InvalidArgumentError if the matrix is not such a matrix, an eigenvalue is below -1e-6 n, or an option is unknown or
 *   out of range.
 */
export function vendiScore(similarity: ArrayLike<number>, options: VendiOptions = {}): number {
  checkOptions(options, vendiOptionNames, 'vendiScore');
  checkList('similarity', similarity);
  const n = Math.round(Math.sqrt(similarity.length));
  if (n * n !== similarity.length) {
    throw new ShapeError(`similarity has ${similarity.length} numbers, which is not n x n; give one row per item`);
  }
  checkFinite(similarity, 'similarity');
  const { order, roots } = checkedOptions(options, n);
  const kernel = new SquareMatrix(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = similarity[i * n + j]!;
      const mirrored = i === j ? 1 : similarity[j * n + i]!;
      if (Math.abs(value - mirrored) > 1e-6) {
        const expected = i === j ? 'the similarity of an item with itself must be 1' : 'it must be symmetric';
        throw new InvalidArgumentError(`similarity has ${value} in row ${i}, column ${j}; ${expected}`);
      }
      kernel.set(i, j, value * roots[i]! * roots[j]!);
      kernel.set(j, i, kernel.get(i, j));
    }
  }
  return vendi(kernel, order);
}

/**
 * {@link vendiScore} of rows by cosine similarity. The rows need not have unit length. Costs the cube of the smaller of rows and
 * columns, except for order 2.
 *
 * Trap: those of {@link vendiScore}. The embedder must not be the one that drives the sampler, or the treatment measures itself.
 * @throws InvalidArgumentError if a row is zero or an option is unknown or out of range; ShapeError if `points` is not a valid
 *   matrix or `probabilities` has another length; NotFiniteError if a number is NaN or infinite.
 */
export function embeddingVendiScore(points: Matrix, options: VendiOptions = {}): number {
  checkOptions(options, vendiOptionNames, 'embeddingVendiScore');
  const units = unitRows(points);
  const { rows, cols } = points;
  const { order, roots } = checkedOptions(options, rows);
  const scaled = units.map((value, index) => value * roots[Math.floor(index / cols)]!);
  // X Xᵀ and Xᵀ X have the same eigenvalues, apart from zeros.
  const byRow = rows <= cols;
  const size = byRow ? rows : cols;
  const steps = byRow ? cols : rows;
  const kernel = new SquareMatrix(size, size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < steps; k++) {
        sum += byRow ? scaled[i * cols + k]! * scaled[j * cols + k]! : scaled[k * cols + i]! * scaled[k * cols + j]!;
      }
      kernel.set(i, j, sum);
      kernel.set(j, i, sum);
    }
  }
  return vendi(kernel, order);
}

/** Square roots of the items' probabilities, and the order. */
function checkedOptions({ order = 1, probabilities }: VendiOptions, n: number) {
  checkOrder(order);
  if (order === 0) {
    throw new InvalidArgumentError(
      'order must be > 0: order 0 counts the non-zero eigenvalues, which rounding decides',
    );
  }
  if (probabilities === undefined) return { order, roots: new Float64Array(n).fill(Math.sqrt(1 / n)) };
  if (probabilities.length !== n) {
    throw new ShapeError(`got ${probabilities.length} probabilities for ${n} items; give one per item`);
  }
  checkFinite(probabilities, 'probability');
  let total = 0;
  for (let item = 0; item < n; item++) {
    if (probabilities[item]! < 0)
      throw new InvalidArgumentError(`probability ${probabilities[item]} of item ${item} is < 0`);
    total += probabilities[item]!;
  }
  if (n > 0 && total === 0) throw new InvalidArgumentError('all probabilities are 0');
  return { order, roots: Float64Array.from(probabilities, (value) => Math.sqrt(value / total)) };
}

/** @param kernel symmetric, with trace 1 */
function vendi(kernel: SquareMatrix, order: number): number {
  const size = kernel.rows;
  if (size === 0) return Number.NaN;
  if (order === 2) {
    let squares = 0; // of the entries, and so of the eigenvalues
    for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) squares += kernel.get(i, j) ** 2;
    return 1 / squares;
  }
  const values = new EigenvalueDecomposition(kernel, { assumeSymmetric: true }).realEigenvalues;
  const smallest = Math.min(...values);
  if (smallest < -1e-6) {
    throw new InvalidArgumentError(`similarity has the eigenvalue ${smallest} x n; it must be positive semidefinite`);
  }
  // Equal items give eigenvalues of 0, up to rounding.
  return hillNumber(
    values.filter((value) => value > size * Number.EPSILON),
    order,
  );
}

/**
 * Mean cosine distance, 1 - cosine, over all pairs of different rows, in [0, 2]. NaN for fewer than two rows. Linear in the
 * number of rows.
 *
 * Trap: two tight, distant clusters score as high as evenly spread rows, and one outlier moves it; {@link meanNearestDistance}
 * tells them apart. The Python package `diversity` also averages over the pairs of each row with itself, which multiplies the
 * value by (n - 1) / n. The embedder must not be the one that drives the sampler.
 *
 * Source: remote-clique of Cox et al., "Directed diversity", CHI 2021, arXiv 2101.06030.
 * @param points one embedding per row, of any length > 0
 * @throws InvalidArgumentError if a row is zero; ShapeError if `points` is not a valid matrix; NotFiniteError if it contains NaN
 *   or infinity.
 */
export function meanPairwiseDistance(points: Matrix): number {
  const units = unitRows(points);
  const { rows, cols } = points;
  const sum = new Float64Array(cols);
  for (let index = 0; index < units.length; index++) sum[index % cols]! += units[index]!;
  // The squared length of the sum is the sum of all cosines, n of them of a row with itself.
  const cosines = sum.reduce((total, value) => total + value * value, 0) - rows;
  return rows < 2 ? Number.NaN : Math.max(0, 1 - cosines / (rows * (rows - 1)));
}

/**
 * Mean over rows of the cosine distance to the nearest other row, in [0, 2]. NaN for fewer than two rows. Quadratic in the number
 * of rows.
 *
 * Trap: it falls as rows are added, so compare equal numbers. Each item with an exact copy contributes 0, however different the
 * pairs are from each other. The embedder must not be the one that drives the sampler.
 *
 * Source: Chamfer distance of Cox et al., "Directed diversity", CHI 2021, arXiv 2101.06030.
 * @param points one embedding per row, of any length > 0
 * @throws InvalidArgumentError if a row is zero; ShapeError if `points` is not a valid matrix; NotFiniteError if it contains NaN
 *   or infinity.
 */
export function meanNearestDistance(points: Matrix): number {
  const units = unitRows(points);
  const { rows, cols } = points;
  if (rows < 2) return Number.NaN;
  const largest = new Float64Array(rows).fill(-1); // cosine with another row
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < i; j++) {
      let cosine = 0;
      for (let k = 0; k < cols; k++) cosine += units[i * cols + k]! * units[j * cols + k]!;
      largest[i] = Math.max(largest[i]!, cosine);
      largest[j] = Math.max(largest[j]!, cosine);
    }
  }
  return largest.reduce((sum, cosine) => sum + Math.max(0, 1 - cosine), 0) / rows;
}

/** Rows divided by their lengths, in float64. */
function unitRows(points: Matrix): Float64Array {
  checkMatrix(points, 'points');
  const { data, rows, cols } = points;
  const units = Float64Array.from(data);
  for (let row = 0; row < rows; row++) {
    const unit = units.subarray(row * cols, (row + 1) * cols);
    const length = Math.sqrt(unit.reduce((sum, value) => sum + value * value, 0)); // squares of float32 fit into float64
    if (length === 0) throw new InvalidArgumentError(`points have only zeros in row ${row}, so it has no direction`);
    for (let column = 0; column < cols; column++) unit[column]! /= length;
  }
  return units;
}
