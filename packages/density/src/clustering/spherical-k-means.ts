import { type CallOptions, InvalidArgumentError, type Matrix, type TimeSlices, timeSlices } from '@rarefy/core';
import { checkPoints } from '../numeric/check-points.js';
import { type DistinctRows, distinctRows } from '../numeric/distinct-rows.js';
import { innerProducts } from '../numeric/inner-products.js';
import { type Tick, withProgress } from '../numeric/with-progress.js';
import { firstCenters } from './first-centers.js';

export interface SphericalKMeansOptions extends CallOptions {
  /** Clusters, at most; fewer when fewer rows differ in direction. */
  readonly clusters: number;
  /** Any safe integer. Default 0. */
  readonly seed?: number;
  /** Rounds of moving the centers, at most. Default 30. */
  readonly rounds?: number;
}

export interface SphericalClusters {
  /** One a cluster, of length 1. */
  readonly centers: Matrix;
  /** Cluster of each row: the center of largest cosine, the first of equals. */
  readonly clusterOf: Int32Array;
  /** Rows a cluster; they sum to the number of rows. */
  readonly counts: Int32Array;
}

const blockRows = 64;

/**
 * Groups rows by direction: k-means under cosine, begun by k-means++. Deterministic, and the same clusters in any order of the rows up
 * to rounding. A zero row is at a right angle to every center and falls to the first. O(rows x clusters x cols) a round, 0.4 ns each.
 * Source: Dhillon & Modha, "Concept decompositions for large sparse text data using clustering", 2001.
 * @throws InvalidArgumentError for no rows or options out of range; ShapeError or NotFiniteError for points that are none.
 */
export async function sphericalKMeans(
  points: Matrix,
  { clusters, seed = 0, rounds = 30, ...call }: SphericalKMeansOptions,
): Promise<SphericalClusters> {
  for (const [name, value] of Object.entries({ clusters, rounds })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new InvalidArgumentError(`${name} must be an integer ≥ 1, got ${value}`);
  }
  if (!Number.isSafeInteger(seed)) throw new InvalidArgumentError(`seed must be a safe integer, got ${seed}`);
  const slices = timeSlices(call.signal);
  await checkPoints(points, slices);
  if (points.rows === 0) throw new InvalidArgumentError('there are no rows to group; give at least one');
  const distinct = await distinctRows(await unitRows(points, slices), slices);
  return withProgress('k-means', undefined, call, async (tick) => {
    const centers = await beginning(distinct, clusters, seed, tick);
    const clusterOf = new Int32Array(distinct.points.rows).fill(-1);
    for (let round = 1; ; round++) {
      const nearest = await nearestCenters(centers, distinct.points, () => tick(round));
      const isSettled = nearest.every((cluster, row) => cluster === clusterOf[row]);
      clusterOf.set(nearest);
      if (isSettled || round === rounds) break; // the clusters are those of these centers
      await moveCenters(centers, distinct, clusterOf, () => tick(round));
    }
    const counts = new Int32Array(centers.rows);
    clusterOf.forEach((cluster, row) => {
      counts[cluster] = counts[cluster]! + distinct.counts[row]!;
    });
    return { centers, clusterOf: distinct.classOf.map((row) => clusterOf[row]!), counts };
  });
}

/** Cluster of each point: the center of largest cosine, the first of equals. @param points of any length */
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

/** Each row divided by its length; zero rows stay. */
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

async function beginning(distinct: DistinctRows, clusters: number, seed: number, tick: Tick): Promise<Matrix> {
  const rows = await firstCenters(distinct, clusters, seed, tick);
  const { data, cols } = distinct.points;
  const centers = { data: new Float32Array(rows.length * cols), rows: rows.length, cols };
  rows.forEach((row, at) => {
    centers.data.set(data.subarray(row * cols, (row + 1) * cols), at * cols);
  });
  return centers;
}

/** Each center to the mean direction of its rows; one without rows, or whose rows cancel out, stays. */
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
