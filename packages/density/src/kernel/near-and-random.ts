import { type CounterRandom, counterRandom, type Matrix, type TimeSlices } from '@rarefy/core';
import { lowestPositions } from '../lowest-positions.js';
import type { DistinctRows } from '../numeric/distinct-rows.js';
import { innerProduct } from '../numeric/inner-products.js';
import type { KernelRows } from './kernel-sums.js';

/** Sums of the kernel over near rows, exactly, and over a random sample of the rest, scaled up. */
export interface NearAndRandom {
  /**
   * Estimated sum over all rows but the copies of `own`, and exactly over these.
   * @param own the distinct row that `row` of `points` is equal to, or -1
   * @param near ids of other distinct rows; -1 names none
   */
  sum(points: Matrix, row: number, squaredLength: number, own: number, near: Int32Array): number;
}

/**
 * DEANN: with R rows neither near nor copies, of which s are sampled, Σ near + R / s Σ sampled is unbiased, since the sampled rows are
 * equally likely to be any s of the R. All rows sample from one list, ordered by random keys that come from the content of each row:
 * so equal rows have equal estimates, and neither the order of the rows nor a row's own copy changes them.
 * Source: Karppa, Aumüller & Pagh, "DEANN: Speeding up kernel-density estimation using approximate nearest neighbor search", 2022.
 * @param k most near rows in a call of `sum`
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
  const copies: CounterRandom[] = []; // one stream for the first copies, one for the second ones …
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
  // However many of the first keys belong to near rows and copies, enough are left.
  const mostSkipped = counts
    .slice()
    .sort()
    .reverse()
    .subarray(0, k + 1)
    .reduce((sum, count) => sum + count, 0);
  const order = lowestPositions(keys, Math.min(total, samples + mostSkipped)).map((at) => rowOfKey[at]!);
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
      for (let at = 0, taken = 0; taken < wanted; at++) {
        const other = order[at]!;
        if (skippedBy[other] === call) continue;
        sampled += kernel(other);
        taken++;
      }
      return wanted === 0 ? sum : sum + (rest / wanted) * sampled;
    },
  };
}
