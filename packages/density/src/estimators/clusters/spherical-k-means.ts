import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkOptions,
  checkSeed,
  counterRandom,
  InvalidArgumentError,
  type Matrix,
  type Tick,
  type TimeSlices,
  timeSlices,
  withProgress,
} from '@rarefy/core';
import { checkPoints } from '../../numeric/check-points.js';
import { type DistinctRows, distinctRows } from '../../numeric/distinct-rows.js';
import { innerProducts } from '../../numeric/inner-products.js';

export interface SphericalKMeansOptions extends CallOptions {
  /** Maximum number of clusters; there are fewer if fewer rows differ in direction. */
  readonly clusters: number;
  /** Any safe integer. Default 0. */
  readonly seed?: number;
  /** Maximum number of rounds that move the centers. Default 30. */
  readonly rounds?: number;
}

const optionNames = ['clusters', 'seed', 'rounds', ...callOptionNames] satisfies (keyof SphericalKMeansOptions)[];

export interface SphericalClusters {
  /** One row of length 1 per cluster. */
  readonly centers: Matrix;
  /** Cluster of each row: the center with the largest cosine, the first of equal ones. */
  readonly clusterOf: Int32Array;
  /** Rows per cluster; they sum to the number of rows. */
  readonly counts: Int32Array;
}

const blockRows = 64;
const seedingBlockRows = 256;

/**
 * Groups rows by direction: k-means with cosine similarity, initialized by k-means++. Deterministic; any order of the rows gives
 * the same clusters, up to rounding. A zero row is orthogonal to every center and joins the first cluster. Each round takes
 * O(rows x clusters x cols).
 * Source: Dhillon & Modha, "Concept decompositions for large sparse text data using clustering", 2001.
 * @throws InvalidArgumentError if there are no rows or an option is unknown or out of range; ShapeError if `points` is not a
 * valid matrix; NotFiniteError if it contains NaN or infinity.
 */
export async function sphericalKMeans(points: Matrix, options: SphericalKMeansOptions): Promise<SphericalClusters> {
  checkOptions(options, optionNames, 'sphericalKMeans');
  const { clusters, seed = 0, rounds = 30, ...call } = options;
  checkInteger('clusters', clusters, 1);
  checkInteger('rounds', rounds, 1);
  checkSeed(seed);
  const slices = timeSlices(call.signal);
  await checkPoints(points, slices);
  if (points.rows === 0) throw new InvalidArgumentError('there are no rows to cluster; give at least one');
  const distinct = await distinctRows(await unitRows(points, slices), slices);
  return withProgress('k-means', undefined, call, async (tick) => {
    const centers = await initialCenters(distinct, clusters, seed, tick);
    const clusterOf = new Int32Array(distinct.points.rows).fill(-1);
    for (let round = 1; ; round++) {
      const nearest = await nearestCenters(centers, distinct.points, () => tick(round));
      const isSettled = nearest.every((cluster, row) => cluster === clusterOf[row]);
      clusterOf.set(nearest);
      if (isSettled || round === rounds) break; // the clusters belong to these centers
      await moveCenters(centers, distinct, clusterOf, () => tick(round));
    }
    const counts = new Int32Array(centers.rows);
    clusterOf.forEach((cluster, row) => {
      counts[cluster] = counts[cluster]! + distinct.counts[row]!;
    });
    return { centers, clusterOf: distinct.classOf.map((row) => clusterOf[row]!), counts };
  });
}

/** Cluster of each point: the center with the largest cosine, the first of equal ones. @param points rows of any length */
export async function nearestCenters(centers: Matrix, points: Matrix, tick: Tick): Promise<Int32Array> {
  const nearest = new Int32Array(points.rows);
  const products = new Float64Array(blockRows * centers.rows);
  for (let top = 0; top < points.rows; top += blockRows) {
    const height = Math.min(blockRows, points.rows - top);
    innerProducts(points.data, top, height, centers.data, 0, centers.rows, points.cols, products);
    for (let row = 0; row < height; row++) {
      let best = 0;
      for (let center = 1; center < centers.rows; center++) {
        if (products[row * centers.rows + center]! > products[row * centers.rows + best]!) best = center;
      }
      nearest[top + row] = best;
    }
    await tick(top);
  }
  return nearest;
}

/** Each row divided by its length; zero rows stay zero. */
async function unitRows({ data, rows, cols }: Matrix, slices: TimeSlices): Promise<Matrix> {
  const unit = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += cols) {
    setUnit(unit, start, data.subarray(start, start + cols));
    if (slices.due()) await slices.pause();
  }
  return { data: unit, rows, cols };
}

function setUnit(out: Float32Array, start: number, values: Float32Array | Float64Array): void {
  let squares = 0;
  for (const value of values) squares += value * value;
  if (squares === 0) return;
  const length = Math.sqrt(squares);
  for (let col = 0; col < values.length; col++) out[start + col] = values[col]! / length;
}

/** Copies of the rows that k-means++ picks. */
async function initialCenters(distinct: DistinctRows, clusters: number, seed: number, tick: Tick): Promise<Matrix> {
  const picked = await pickCenters(distinct, clusters, seed, tick);
  const { data, cols } = distinct.points;
  const centers = { data: new Float32Array(picked.length * cols), rows: picked.length, cols };
  for (const [center, row] of picked.entries()) {
    centers.data.set(data.subarray(row * cols, (row + 1) * cols), center * cols);
  }
  return centers;
}

/**
 * k-means++: picks each row in proportion to its number of copies and its distance 1 - cosine to the nearest row picked so far.
 * Row i waits an exponential time of that rate, from a random number that depends on its content, and the row with the shortest
 * time is picked; so the order of the rows does not matter. Picks fewer rows if all others have distance 0.
 * Source: Arthur & Vassilvitskii, "k-means++: the advantages of careful seeding", 2007.
 */
export async function pickCenters(
  { points, counts, keys }: DistinctRows,
  clusters: number,
  seed: number,
  tick: Tick,
): Promise<number[]> {
  const { data, rows, cols } = points;
  const random = counterRandom(seed);
  const distances = new Float64Array(rows).fill(2); // the largest distance, so the first pick is by copies alone
  const products = new Float64Array(seedingBlockRows);
  const centers: number[] = [];
  while (centers.length < clusters) {
    const step = random.fork(centers.length);
    let first = -1;
    let soonest = Number.POSITIVE_INFINITY;
    for (let row = 0; row < rows; row++) {
      if (row % 1024 === 0) await tick(0);
      const rate = counts[row]! * distances[row]!;
      if (rate === 0) continue;
      const wait = -Math.log1p(-step.uniform(keys[row]!)) / rate;
      if (wait >= soonest) continue;
      soonest = wait;
      first = row;
    }
    if (first < 0) break;
    centers.push(first);
    for (let top = 0; top < rows; top += seedingBlockRows) {
      const height = Math.min(seedingBlockRows, rows - top);
      innerProducts(data, top, height, data, first, 1, cols, products);
      for (let i = 0; i < height; i++) {
        distances[top + i] = Math.min(distances[top + i]!, Math.max(0, 1 - products[i]!));
      }
      await tick(0);
    }
    distances[first] = 0;
  }
  return centers;
}

/** Moves each center to the mean direction of its rows; a center without rows, or whose rows cancel out, stays. */
async function moveCenters(
  { data, rows, cols }: Matrix,
  { points, counts }: DistinctRows,
  clusterOf: Int32Array,
  tick: () => Promise<void>,
): Promise<void> {
  const sums = new Float64Array(data.length);
  for (let row = 0; row < points.rows; row++) {
    const start = clusterOf[row]! * cols;
    for (let col = 0; col < cols; col++) {
      sums[start + col] = sums[start + col]! + counts[row]! * points.data[row * cols + col]!;
    }
    if (row % blockRows === 0) await tick();
  }
  for (let start = 0; start < rows * cols; start += cols) setUnit(data, start, sums.subarray(start, start + cols));
}
