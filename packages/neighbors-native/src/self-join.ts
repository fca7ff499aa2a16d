import {
  type CallOptions,
  checkInteger,
  checkShape,
  firstNotFinite,
  InvalidArgumentError,
  type Metric,
  notFiniteAt,
  type Progress,
  RarefyError,
  ShapeError,
  startProgress,
} from '@rarefy/core';
import { type InstructionSet, type NativeJob, nativeAddon } from './native-addon.js';

export interface SelfJoinOptions extends CallOptions {
  /** Neighbors per row; an integer ≥ 1. */
  readonly k: number;
  readonly metric: Metric;
  /** Number of threads, from 1 to 1024. Does not change the result. */
  readonly threads: number;
  /** Default: the fastest that the CPU supports. Does not change the result. */
  readonly instructionSet?: InstructionSet;
}

export interface SelfJoin {
  /** rows x k, row-major, each row ordered by (distance, id); -1 for a missing neighbor. */
  readonly ids: Int32Array;
  /** rows x k; +Infinity for a missing neighbor. */
  readonly distances: Float32Array;
  /**
   * Distinct rows that were compared with all others because the int16 products could not tell enough of them apart. Many of them
   * make a join slow. If k is a quarter of the distinct rows or more, it is all rows. The same for any threads and instruction
   * set.
   */
  readonly fullScans: number;
  /** Number of groups of equal rows; 0 and -0 are equal. */
  readonly distinctRows: number;
}

const metrics: readonly string[] = ['euclidean', 'cosine', 'dot'] satisfies readonly Metric[];
const maxEntries = 2 ** 31 - 1;
const progressMs = 100;

/**
 * The k nearest other rows of every row: the same bytes as `exactIndex({ metric }).selfJoin` of `@rarefy/neighbors/exact`, for any
 * number of threads on any CPU. O(rows² cols) time. Memory besides `data`: 2 bytes per number and about 8 (2 k + 16) per row.
 * Computes on other threads; an abort ends it within milliseconds.
 * @param data rows x cols, row-major, on an ArrayBuffer or SharedArrayBuffer. It is read in place: do not write to it, transfer or
 * resize it before the promise settles.
 * @throws ShapeError if the sizes do not agree; NotFiniteError naming the first row with NaN or infinity; InvalidArgumentError if
 * an option is out of range; MissingDependencyError if the addon is not built; the signal's reason after an abort.
 */
export async function selfJoin(
  data: Float32Array,
  rows: number,
  cols: number,
  options: SelfJoinOptions,
): Promise<SelfJoin> {
  checkArguments(data, rows, cols, options);
  const { k, metric, threads, instructionSet, signal, onEvent } = options;
  signal?.throwIfAborted();
  const addon = nativeAddon();
  const offered = addon.instructionSets();
  if (instructionSet !== undefined && !offered.includes(instructionSet)) {
    throw new InvalidArgumentError(`instructionSet must be one of ${offered.join(', ')} here, got ${instructionSet}`);
  }
  const job = new addon.Job();
  const abort = () => job.abort();
  const failures: unknown[] = [];
  const fail = (error: unknown) => {
    failures.push(error);
    abort();
  };
  const checkStopped = () => {
    if (failures.length > 0) throw failures[0];
    signal?.throwIfAborted();
  };
  signal?.addEventListener('abort', abort);
  let stopReports = () => {};
  try {
    const progress = startProgress('self-join', rows, onEvent);
    if (onEvent) stopReports = reportRegularly(job, rows, progress, fail);
    checkStopped(); // the receiver of the first event may have aborted
    const joined = await job.run(data, { rows, cols, k, metric, threads, instructionSet }).catch((error) => {
      checkStopped();
      throw explained(error, data, rows, cols);
    });
    checkStopped();
    stopReports();
    progress.report(rows);
    progress.end();
    return joined;
  } finally {
    stopReports();
    signal?.removeEventListener('abort', abort);
  }
}

function checkArguments(data: Float32Array, rows: number, cols: number, options: SelfJoinOptions): void {
  const { k, metric, threads } = options;
  checkShape({ data, rows, cols }, 'data');
  if (rows > 0 && cols === 0) throw new ShapeError(`data have ${rows} rows without columns; give at least one column`);
  checkInteger('k', k, 1);
  if (k * Math.max(1, rows) > maxEntries) {
    throw new InvalidArgumentError(`k must be at most ${maxEntries} / rows, got ${k} for ${rows} rows; ask for fewer`);
  }
  if (!metrics.includes(metric)) {
    throw new InvalidArgumentError(`metric must be one of ${metrics.join(', ')}, got ${metric}`);
  }
  checkInteger('threads', threads, 1, 1024);
}

/**
 * Reports the progress of the job from time to time, until the returned function is called.
 * @param fail receives what `onEvent` throws, which nothing would catch in a timer
 */
function reportRegularly(
  job: NativeJob,
  total: number,
  progress: Progress,
  fail: (error: unknown) => void,
): () => void {
  const timer = setInterval(() => {
    try {
      progress.report(Math.floor(job.progress() * total));
    } catch (error) {
      fail(error);
    }
  }, progressMs);
  return () => clearInterval(timer);
}

function explained(error: unknown, data: Float32Array, rows: number, cols: number): Error {
  const { message } = error as Error;
  const row = Number(/^not-finite (\d+)$/.exec(message)?.[1] ?? Number.NaN);
  if (!Number.isNaN(row)) {
    const start = row * cols;
    return notFiniteAt({ data, rows, cols }, firstNotFinite(data, start, start + cols), 'data');
  }
  if (message === 'out-of-memory') {
    return new RarefyError(
      `there is not enough memory to join ${rows} rows x ${cols} columns; ask for fewer neighbors, or use an approximate index`,
      { cause: error },
    );
  }
  return new RarefyError(`the native join failed (${message}); use another engine, and report this error`, {
    cause: error,
  });
}
