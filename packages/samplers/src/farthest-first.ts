import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkMatrix,
  checkOptions,
  counterRandom,
  type Matrix,
  startProgress,
  timeSlices,
} from '@rarefy/core';

export interface FarthestFirstOptions extends CallOptions {
  /** Determines the first row; any safe integer. Default 0. */
  readonly seed?: number;
}

export interface FarthestFirst {
  /** Positions of `count` different rows, in the order in which they were picked. */
  readonly positions: Int32Array;
  /** Distance of each picked row to the nearest row picked before it, in descending order; Infinity for the first. */
  readonly distances: Float64Array;
  /** Largest distance of any row to the nearest picked row. */
  readonly radius: number;
}

/** Rows between two looks at the clock. */
const rowsPerLook = 256;

/**
 * Picks rows that cover all others: the first one by the seed, then always the row whose Euclidean distance to the rows picked so
 * far is largest; ties by position. No choice of as many rows has less than half the radius (greedy k-center). Deterministic.
 *
 * O(count x rows x cols). Skips rows whose nearest picked row cannot change by the triangle inequality; in clustered data these
 * are most rows.
 * Sources: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; Elkan, "Using the triangle inequality to
 * accelerate k-means", 2003.
 * @param points rows x cols
 * @param count an integer in [0, rows]
 * @throws InvalidArgumentError if `count` is out of range, the seed is not a safe integer, or an option is unknown; ShapeError if
 * `points` is not a valid matrix; NotFiniteError if it contains NaN or infinity; the signal's reason on abort.
 */
export async function farthestFirst(
  points: Matrix,
  count: number,
  options: FarthestFirstOptions = {},
): Promise<FarthestFirst> {
  checkOptions(options, ['seed', ...callOptionNames] satisfies (keyof FarthestFirstOptions)[], 'farthestFirst');
  const { seed = 0, signal, onEvent } = options;
  checkMatrix(points, 'points');
  const { data, rows, cols } = points;
  checkInteger('count', count, 0, rows);
  const nearest = new Float64Array(rows).fill(Number.POSITIVE_INFINITY); // distance to the nearest picked row; -1 once picked
  const owner = new Int32Array(rows); // the pick at that distance
  const positions = new Int32Array(count);
  const distances = new Float64Array(count);
  const betweenPicks = new Float64Array(count); // distance of the new pick to each earlier one; -1 until computed
  const slices = timeSlices(signal);
  const progress = startProgress('farthest-first', count, onEvent);
  let next = Math.floor(counterRandom(seed).uniform(0) * rows);
  let radius = count === 0 ? Number.POSITIVE_INFINITY : 0;
  for (let pick = 0; pick < count; pick++) {
    const picked = next;
    positions[pick] = picked;
    distances[pick] = nearest[picked]!;
    nearest[picked] = -1;
    betweenPicks.fill(-1, 0, pick);
    radius = -1;
    for (let row = 0; row < rows; row++) {
      if (row % rowsPerLook === 0 && slices.due()) {
        progress.report(pick);
        await slices.pause();
      }
      let distance = nearest[row]!;
      if (distance < 0) continue;
      if (pick === 0 || distance > 0) {
        let between = 0;
        if (pick > 0) {
          const other = owner[row]!;
          if (betweenPicks[other] === -1) {
            betweenPicks[other] = distanceBetween(data, positions[other]! * cols, picked * cols, cols);
          }
          between = betweenPicks[other]!;
        }
        // The new pick is not nearer if it is twice as far from the old one; the margin is above rounding errors.
        if (pick === 0 || between < 2 * distance * (1 + 1e-9)) {
          const candidate = distanceBetween(data, row * cols, picked * cols, cols);
          if (candidate < distance) {
            distance = candidate;
            nearest[row] = candidate;
            owner[row] = pick;
          }
        }
      }
      if (distance > radius) {
        radius = distance;
        next = row;
      }
    }
  }
  progress.end();
  return { positions, distances, radius: Math.max(0, radius) };
}

/** Euclidean distance of the rows that begin at `p` and `q`. */
function distanceBetween(data: Float32Array, p: number, q: number, cols: number): number {
  let sum0 = 0;
  let sum1 = 0;
  let col = 0;
  for (; col + 1 < cols; col += 2) {
    const difference0 = data[p + col]! - data[q + col]!;
    const difference1 = data[p + col + 1]! - data[q + col + 1]!;
    sum0 += difference0 * difference0;
    sum1 += difference1 * difference1;
  }
  if (col < cols) sum0 += (data[p + col]! - data[q + col]!) ** 2;
  return Math.sqrt(sum0 + sum1);
}
