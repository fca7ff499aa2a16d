import {
  type CallOptions,
  type DensityEstimator,
  InvalidArgumentError,
  type Matrix,
  type NeighborIndex,
  NotFittedError,
  selfJoin,
  timeSlices,
  withProgress,
} from '@rarefy/core';
import { checkPoints } from '../numeric/check-points.js';
import { type DistinctRows, distinctRows } from '../numeric/distinct-rows.js';
import { squaredLengths } from '../numeric/inner-products.js';
import { neighborBandwidth } from './kernel/bandwidth.js';
import { type KernelDensityOptions, kernelSettings, kernelValue } from './kernel/kernels.js';
import { type NearAndRandom, nearAndRandom } from './kernel/near-and-random.js';
import { type KernelRows, kernelQuerySums, kernelSelfSums } from './kernel/sums.js';

export interface KernelDensity extends DensityEstimator {
  score(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** The given bandwidth, or the one that the last fit chose; undefined before the fit, and for `angular`. */
  readonly bandwidth: number | undefined;
}

interface Fit {
  readonly rows: KernelRows;
  readonly distinct: DistinctRows;
  readonly bandwidth: number | undefined;
  readonly near?: { readonly index: NeighborIndex; readonly k: number; readonly estimate: NearAndRandom };
}

const task = 'kernel-density';

/**
 * Density = mean over the other rows of a smoothing kernel that is 1 at distance 0; in [0, 1]. The normalizing constant is left
 * out: it is the same for all rows and overflows in hundreds of dimensions. `score` takes the mean over all rows of the fit.
 *
 * `exact` takes O(rows² x cols); equal rows are summed once. `near-and-random` is exact over the k nearest rows and an unbiased
 * estimate from `samples` of the rest (DEANN). It takes O(rows x (k + samples) x cols) after the neighbor search, for which an
 * approximate index is enough. Both are deterministic and do not depend on the order of the rows.
 *
 * `fit` throws InvalidArgumentError if there are fewer than two rows.
 * @throws InvalidArgumentError if an option is unknown or out of range, or does not apply to the kernel.
 */
export function kernelDensity(options: KernelDensityOptions = {}): KernelDensity {
  const { kernel, bandwidth, power, fingerprint, sampling, index } = kernelSettings(options);
  let fitted: Fit | undefined;

  const prepare = async (points: Matrix, { signal }: CallOptions): Promise<Fit> => {
    const slices = timeSlices(signal);
    const distinct = await distinctRows(points, slices);
    const { data, rows: size, cols } = distinct.points;
    const lengths = squaredLengths(data, size, cols);
    const isChosen = kernel !== 'angular' && bandwidth === undefined;
    const width = isChosen ? await neighborBandwidth(distinct.points, lengths, slices) : bandwidth;
    const value = kernelValue(kernel, width ?? power);
    const rows = { points: distinct.points, counts: distinct.counts, squaredLengths: lengths, value };
    if (!sampling) return { rows, distinct, bandwidth: width };
    const estimate = await nearAndRandom(rows, distinct, sampling, slices);
    return { rows, distinct, bandwidth: width, near: { index: index(), k: Math.min(sampling.k, size - 1), estimate } };
  };

  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint,
    capabilities: { outOfSample: true, online: false },
    get bandwidth() {
      return fitted?.bandwidth ?? bandwidth;
    },
    async fit(points, call = {}) {
      const earlier = fitted;
      fitted = undefined;
      await earlier?.near?.index[Symbol.asyncDispose]();
      await checkPoints(points, timeSlices(call.signal));
      if (points.rows < 2) {
        throw new InvalidArgumentError(`a kernel density needs at least 2 rows, got ${points.rows}`);
      }
      const current = await prepare(points, call);
      const { rows, distinct, near } = current;
      const sums = near
        ? await sampledSelfSums(rows, near, call)
        : await withProgress(task, rows.points.rows, call, (tick) => kernelSelfSums(rows, tick));
      fitted = current;
      return Float64Array.from(distinct.classOf, (row) => sums[row]! / (points.rows - 1));
    },
    async score(points, call = {}) {
      if (fitted === undefined) throw new NotFittedError('score needs a fit: call fit(points) first');
      const { rows, distinct, near } = fitted;
      await checkPoints(points, timeSlices(call.signal), rows.points.cols);
      const sums = near
        ? await sampledQuerySums(points, distinct, near, call)
        : await withProgress(task, points.rows, call, (tick) => kernelQuerySums(rows, points, tick));
      return sums.map((sum) => sum / distinct.classOf.length);
    },
  };
}

async function sampledSelfSums(
  { points, squaredLengths: lengths }: KernelRows,
  { index, k, estimate }: NonNullable<Fit['near']>,
  call: CallOptions,
): Promise<Float64Array> {
  const { signal, onEvent } = call;
  const ids = k === 0 ? new Int32Array(0) : (await selfJoin(index, points, { k, signal, onEvent })).ids;
  return withProgress(task, points.rows, call, async (tick) => {
    const sums = new Float64Array(points.rows);
    for (let row = 0; row < points.rows; row++) {
      const near = ids.subarray(row * k, (row + 1) * k);
      sums[row] = estimate.sum(points, row, lengths[row]!, row, near) - 1; // without the row itself
      await tick(row);
    }
    return sums;
  });
}

async function sampledQuerySums(
  queries: Matrix,
  distinct: DistinctRows,
  { index, k, estimate }: NonNullable<Fit['near']>,
  call: CallOptions,
): Promise<Float64Array> {
  const exclude = Int32Array.from({ length: queries.rows }, (_, row) => distinct.find(queries, row));
  const ids = k === 0 ? new Int32Array(0) : (await index.search(queries, { ...call, k, exclude })).ids;
  const lengths = squaredLengths(queries.data, queries.rows, queries.cols);
  return withProgress(task, queries.rows, call, async (tick) => {
    const sums = new Float64Array(queries.rows);
    for (let row = 0; row < queries.rows; row++) {
      const near = ids.subarray(row * k, (row + 1) * k);
      sums[row] = estimate.sum(queries, row, lengths[row]!, exclude[row]!, near);
      await tick(row);
    }
    return sums;
  });
}
