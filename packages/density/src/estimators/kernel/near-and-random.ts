import { type CounterRandom, counterRandom, type Matrix, type TimeSlices } from '@rarefy/core';
import type { DistinctRows } from '../../numeric/distinct-rows.js';
import { innerProduct } from '../../numeric/inner-products.js';
import { lowestPositions } from '../../numeric/lowest-positions.js';
import type { KernelRows } from './sums.js';

/** Kernel sums that are exact over near rows and scaled up from a random sample of the rest. */
export interface NearAndRandom {
  /**
   * Estimates the sum over all rows, exact over the copies of `own` and the rows of `near`.
   * @param own the distinct row that is equal to row `row` of `points`, or -1
   * @param near other distinct rows; -1 is ignored
   */
  sum(points: Matrix, row: number, squaredLength: number, own: number, near: Int32Array): number;
}

/**
 * DEANN: with R rows that are neither near nor copies, of which s are sampled, Σ near + R / s Σ sampled is unbiased, because the
 * sample is equally likely to be any s of the R rows. All rows sample from one list, ordered by random keys that depend on the
 * content of each row, so equal rows have equal estimates, whatever the order of the rows.
 * Source: Karppa, Aumüller & Pagh, "DEANN: Speeding up kernel-density estimation using approximate nearest neighbor search",
 * 2022.
 * @param k maximum number of near rows in a call of `sum`
 */
export async function nearAndRandom(
  rows: KernelRows,
  { classOf, keys: contents }: DistinctRows,
  { k, samples, seed }: { readonly k: number; readonly samples: number; readonly seed: number },
  slices: TimeSlices,
): Promise<NearAndRandom> {
  const { points: fitted, counts, squaredLengths, value } = rows;
  const total = classOf.length;
  const random = counterRandom(seed);
  const copies: CounterRandom[] = []; // one stream for the first copies, one for the second copies, and so on
  const keys = new Float64Array(total);
  const rowOfKey = new Int32Array(total);
  let filled = 0;
  for (let row = 0; row < fitted.rows; row++) {
    for (let copy = 0; copy < counts[row]!; copy++) {
      const stream = (copies[copy] ??= random.fork(copy));
      rowOfKey[filled] = row;
      keys[filled++] = stream.uniform(contents[row]!);
      if (slices.due()) await slices.pause();
    }
  }
  // Enough keys are left even if the first ones all belong to near rows and copies.
  const mostSkipped = counts
    .slice()
    .sort()
    .reverse()
    .subarray(0, k + 1)
    .reduce((sum, count) => sum + count, 0);
  const order = lowestPositions(keys, Math.min(total, samples + mostSkipped)).map((index) => rowOfKey[index]!);
  const skippedBy = new Int32Array(fitted.rows).fill(-1);
  let call = -1;

  return {
    sum({ data, cols }, row, squaredLength, own, near) {
      const kernel = (other: number) =>
        value(innerProduct(data, row * cols, fitted.data, other * cols, cols), squaredLength, squaredLengths[other]!);
      call = (call + 1) | 0;
      let rest = total;
      let sum = 0;
      if (own >= 0) {
        skippedBy[own] = call;
        rest -= counts[own]!;
        sum += counts[own]!;
      }
      for (const other of near) {
        if (other < 0) continue;
        skippedBy[other] = call;
        rest -= counts[other]!;
        sum += counts[other]! * kernel(other);
      }
      const wanted = Math.min(samples, rest);
      let sampled = 0;
      for (let index = 0, taken = 0; taken < wanted; index++) {
        const other = order[index]!;
        if (skippedBy[other] === call) continue;
        sampled += kernel(other);
        taken++;
      }
      return wanted === 0 ? sum : sum + (rest / wanted) * sampled;
    },
  };
}
