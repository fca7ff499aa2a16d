import {
  type CallOptions,
  type DensityEstimator,
  InvalidArgumentError,
  type Matrix,
  NotFittedError,
  type RowSource,
  ShapeError,
  timeSlices,
  withProgress,
} from '@rarefy/core';
import { checkPoints } from '../numeric/check-points.js';
import { type RaceDensityOptions, raceSettings } from './race/options.js';
import { type SignHashes, signHashes } from './race/sign-hashes.js';
import { countCodes, decodeRace, encodeRace, meanCount, type RaceWindow, raceWindow } from './race/sketch.js';

/** A density estimator that keeps a sketch: counters instead of points. Concurrent calls run one after the other, in order. */
export interface RaceDensity extends DensityEstimator {
  score(points: Matrix, options?: CallOptions): Promise<Float64Array>;
  /** Reads the rows twice, in blocks. `score` and `update` work after it. */
  fitRows(points: RowSource, options?: CallOptions): Promise<Float64Array>;
  /** Adds points, also to an empty sketch. */
  update(points: Matrix, options?: CallOptions): Promise<void>;
  /**
   * Removes points. The sketch is bit-equal to one that never had them.
   * @throws InvalidArgumentError, and changes nothing, if the sketch has a window or cannot contain all of the points.
   */
  remove(points: Matrix, options?: CallOptions): Promise<void>;
  /**
   * Adds all points of another sketch with the same options. The sketch is bit-equal to one of all these points.
   * @throws InvalidArgumentError if the sketch has a window; StateMismatchError if the other one has other options.
   */
  merge(other: RaceDensity): void;
  /** Points that are counted. */
  readonly size: number;
  /** Serializes the sketch, 4 bytes per counter; equal sketches give equal bytes. */
  toBytes(): Uint8Array;
  /** @throws StateMismatchError if the sketch has other options; CorruptFileError if the bytes are not a complete sketch. */
  restore(bytes: Uint8Array): void;
}

/** The rows of a data set in blocks; can be iterated more than once. */
type Blocks = Iterable<{ start: number; block: Matrix }> | AsyncIterable<{ start: number; block: Matrix }>;

interface Sketch {
  /** 0 while the sketch is empty. */
  cols: number;
  size: number;
  readonly counters: Int32Array;
  readonly recent: RaceWindow | undefined;
}

/**
 * RACE: each row of counters hashes every point by the signs of random projections and increments one counter. The mean counter
 * of a point is an estimate, unbiased over the seed, of the mean of (1 - θ / π)^hashes over the other points, where θ is the
 * angle between two points: the density of `kernelDensity({ kernel: 'angular', power: hashes })`. It takes one pass, compares no
 * pairs, and its memory is rows x 2^hashes counters. `fit` leaves each row out of its own density exactly. With a window, rows
 * that left the window are scored as new points.
 *
 * This is a global density, so it ranks prompts differently from nearest-neighbor densities. Deterministic: all counts are
 * integers.
 * Source: Coleman & Shrivastava, "Sub-linear RACE sketches for approximate kernel density estimation on streaming data", WWW
 * 2020.
 *
 * `fit` throws InvalidArgumentError if there are fewer than two rows.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function raceDensity(options: RaceDensityOptions = {}): RaceDensity {
  const { rows, hashes, seed, window, fingerprint } = raceSettings(options);
  const shape = { rows, hashes };
  const counterCount = rows * 2 ** hashes;
  const blockRows = Math.ceil(2 ** 16 / rows);
  let sketch = emptySketch();
  let hasher: SignHashes | undefined;
  let last: Promise<unknown> = Promise.resolve();

  function emptySketch(): Sketch {
    const counters = new Int32Array(counterCount);
    return { cols: 0, size: 0, counters, recent: window === undefined ? undefined : raceWindow(window, rows) };
  }
  /** Runs calls one after the other, so that a later call sees the result of an earlier one. */
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
  /** Hashes points block by block. @param use gets the codes of rows `from` to `to` - 1, in an array that is reused */
  const hashBlocks = (
    points: Matrix,
    call: CallOptions,
    use: (codes: Uint16Array, from: number, to: number) => void,
  ): Promise<void> =>
    withProgress('race-density', points.rows, call, async (tick) => {
      if (hasher?.cols !== points.cols) hasher = signHashes(points.cols, rows, hashes, seed);
      const codes = new Uint16Array(Math.min(blockRows, points.rows) * rows);
      for (let from = 0; from < points.rows; from += blockRows) {
        const to = Math.min(from + blockRows, points.rows);
        hasher.write(points, from, to, codes);
        use(codes.subarray(0, (to - from) * rows), from, to);
        await tick(to);
      }
    });
  /** Counts points aside, so that an abort changes nothing. Returns a function that adds them to a sketch, all at once. */
  const count = async (points: Matrix, call: CallOptions) => {
    const kept = window === undefined ? points.rows : Math.min(points.rows, window); // earlier points leave the window at once
    const isSmall = points.rows <= blockRows;
    const codesKept = new Uint16Array(isSmall || window !== undefined ? kept * rows : 0);
    const change = codesKept.length > 0 ? undefined : new Int32Array(counterCount);
    await hashBlocks(points, call, (codes, from, to) => {
      if (change) return countCodes(change, codes, 1, shape);
      const first = points.rows - kept;
      const skipped = Math.max(0, first - from);
      if (skipped < to - from) codesKept.set(codes.subarray(skipped * rows), (from + skipped - first) * rows);
    });
    const commit = (target: Sketch, sign: 1 | -1 = 1) => {
      checkCols(points.cols, target);
      if (change) for (let index = 0; index < counterCount; index++) target.counters[index]! += sign * change[index]!;
      else countCodes(target.counters, codesKept, sign, shape);
      target.recent?.push(codesKept, (codes) => countCodes(target.counters, codes, -1, shape));
      target.size = target.recent?.size ?? target.size + sign * points.rows;
      target.cols = target.size === 0 ? 0 : points.cols;
    };
    return commit;
  };
  /** Two passes: the first counts all rows, the second looks up each row without itself. */
  const fitBlocks = async (total: number, blocks: Blocks, call: CallOptions): Promise<Float64Array> => {
    if (total < 2) throw new InvalidArgumentError(`a density needs at least 2 rows, got ${total}`);
    const fitted = emptySketch();
    for await (const { block } of blocks) (await count(block, call))(fitted);
    const densities = new Float64Array(total);
    for await (const { start, block } of blocks) {
      await hashBlocks(block, call, (codes, from, to) => {
        for (let row = from; row < to; row++) {
          const own = start + row >= total - fitted.size ? 1 : 0;
          const mean = meanCount(fitted.counters, codes, (row - from) * rows, shape);
          densities[start + row] = (mean - own) / (fitted.size - own);
        }
      });
    }
    sketch = fitted;
    return densities;
  };
  const refuseWindow = (what: string) => {
    if (window === undefined) return;
    throw new InvalidArgumentError(
      `a sketch with a window cannot ${what}, because its points are ordered; create it without a window`,
    );
  };

  return {
    specificationVersion: 'v1',
    kind: 'density-estimator',
    fingerprint,
    capabilities: { outOfSample: true, online: true },
    get size() {
      return sketch.size;
    },
    fit: (points, call = {}) =>
      inTurn(async () => {
        sketch = emptySketch(); // also after a fit that fails
        await checkPoints(points, timeSlices(call.signal));
        return fitBlocks(points.rows, [{ start: 0, block: points }], call);
      }),
    fitRows: (points, call = {}) =>
      inTurn(() => {
        sketch = emptySketch();
        return fitBlocks(points.rows, readBlocks(points, call), call);
      }),
    score: (points, call = {}) =>
      inTurn(async () => {
        const { size, cols, counters } = sketch;
        if (size === 0) throw new NotFittedError('score needs points: call fit(points) or update(points) first');
        await checkPoints(points, timeSlices(call.signal), cols);
        const densities = new Float64Array(points.rows);
        await hashBlocks(points, call, (codes, from, to) => {
          for (let row = from; row < to; row++) {
            densities[row] = meanCount(counters, codes, (row - from) * rows, shape) / size;
          }
        });
        return densities;
      }),
    update: (points, call = {}) =>
      inTurn(async () => {
        await checkPoints(points, timeSlices(call.signal), sketch.cols || undefined);
        (await count(points, call))(sketch);
      }),
    remove: (points, call = {}) =>
      inTurn(async () => {
        refuseWindow('remove points');
        await checkPoints(points, timeSlices(call.signal), sketch.cols || undefined);
        const commit = await count(points, call);
        const left = { ...sketch, counters: sketch.counters.slice() };
        commit(left, -1);
        if (left.size < 0 || left.counters.some((value) => value < 0)) {
          throw new InvalidArgumentError(
            `not all of these ${points.rows} points are in the sketch; remove only points that were added`,
          );
        }
        sketch = left;
      }),
    merge(other) {
      refuseWindow('merge');
      const { cols, size, counters } = decodeRace(other.toBytes(), fingerprint, counterCount, 0);
      if (size === 0) return;
      checkCols(cols, sketch);
      const merged = sketch.counters.map((value, index) => value + counters[index]!);
      sketch = { cols, size: sketch.size + size, counters: merged, recent: undefined };
    },
    toBytes() {
      const { cols, size, counters, recent } = sketch;
      return encodeRace({ cols, size, counters, ...(recent && { recent: recent.codes() }) }, fingerprint);
    },
    restore(bytes) {
      const { recent: codes, ...stored } = decodeRace(
        bytes,
        fingerprint,
        counterCount,
        window === undefined ? 0 : rows,
      );
      const recent = window === undefined ? undefined : raceWindow(window, rows);
      if (codes) recent?.push(codes, () => {});
      sketch = { ...stored, recent };
    },
  };
}

/** Blocks of 4 MiB. */
function readBlocks(points: RowSource, call: CallOptions): Blocks {
  const step = Math.max(1, Math.floor(2 ** 20 / points.cols));
  return {
    async *[Symbol.asyncIterator]() {
      const slices = timeSlices(call.signal);
      for (let start = 0; start < points.rows; start += step) {
        const block = await points.read(start, Math.min(start + step, points.rows), call);
        await checkPoints(block, slices);
        yield { start, block };
      }
    },
  };
}

function checkCols(cols: number, sketch: Sketch): void {
  if (sketch.size === 0 || cols === sketch.cols) return;
  throw new ShapeError(
    `the points have ${cols} columns and the sketch has ${sketch.cols}; give points of the same embedder`,
  );
}
