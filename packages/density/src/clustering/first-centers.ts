import { counterRandom } from '@rarefy/core';
import type { DistinctRows } from '../numeric/distinct-rows.js';
import { innerProducts } from '../numeric/inner-products.js';
import type { Tick } from '../numeric/with-progress.js';

const blockRows = 256;

/**
 * Rows to begin k-means with, by k-means++: each in proportion to its copies and its distance 1 - cosine to the nearest one so far.
 * Row i waits an exponential time of that rate, made from a random number of its content, and the first to come is taken: so the
 * order of the rows does not matter. Fewer when no row is left at a distance.
 * @param rows of length 1 or 0
 * Source: Arthur & Vassilvitskii, "k-means++: the advantages of careful seeding", 2007.
 */
export async function firstCenters(
  { points, counts, keys }: DistinctRows,
  clusters: number,
  seed: number,
  tick: Tick,
): Promise<number[]> {
  const { data, rows, cols } = points;
  const random = counterRandom(seed);
  const distances = new Float64Array(rows).fill(2); // no distance is larger, and all are alike
  const products = new Float64Array(blockRows);
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
    for (let top = 0; top < rows; top += blockRows) {
      const height = Math.min(blockRows, rows - top);
      innerProducts(data, top, height, data, first, 1, cols, products);
      for (let at = 0; at < height; at++) {
        distances[top + at] = Math.min(distances[top + at]!, Math.max(0, 1 - products[at]!));
      }
      await tick(0);
    }
    distances[first] = 0;
  }
  return centers;
}
