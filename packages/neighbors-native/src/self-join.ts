import {
  type CallOptions,
  InvalidArgumentError,
  type Metric,
  NotFiniteError,
  RarefyError,
  ShapeError,
} from '@rarefy/core';
import { type InstructionSet, type NativeJob, type NativeJoin, nativeAddon } from './native-addon.js';

export interface SelfJoinOptions extends CallOptions {
  /** Neighbours a row; an integer ≥ 1. */
  readonly k: number;
  readonly metric: Metric;
  /** Threads that compute, from 1 to 1024. The answer does not depend on it. */
  readonly threads: number;
  /** Default: the best that the CPU has. The answer does not depend on it. */
  readonly instructionSet?: InstructionSet;
}

export interface SelfJoin {
  /** rows x k, row-major, each row ordered by (distance, id); -1 for a missing neighbour. */
  readonly ids: Int32Array;
  /** rows x k; +Infinity for a missing neighbour. */
  readonly distances: Float32Array;
  /**
   * Distinct rows that were compared with all others, since the int16 products could not tell enough of them apart: many mean that a join
   * takes long. All of them where k is a quarter of the distinct rows or more. The same for any threads and instruction set.
   */
  readonly fullScans: number;
  /** Rows that differ from all earlier ones; -0 is 0. */
  readonly distinctRows: number;
}

const metrics: readonly string[] = ['euclidean', 'cosine', 'dot'] satisfies readonly Metric[];
const maxEntries = 2 ** 31 - 1;
const progressMs = 100;

/**
 * Every row's k nearest other rows, with the bytes of `exactIndex({ metric }).selfJoin` of `@rarefy/neighbors/exact`, for any
 * number of threads and any CPU. O(rows² cols) time; memory beside `data`: 2 bytes a value and about 8 (2 k + 16) a row.
 * Computes on other threads; an abort ends it within milliseconds.
 * @param data rows x cols, row-major, on an ArrayBuffer or SharedArrayBuffer; read in place: write to it, transfer or resize it only
 * when the promise has settled
 * @throws ShapeError when the sizes do not fit; NotFiniteError naming the first row with a NaN or infinity; InvalidArgumentError for
 * an option out of range; MissingDependencyError when the addon is not built; the signal's reason after an abort.
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
  let stopReports: (done?: number) => void = () => {};
  try {
    stopReports = reportProgress(job, rows, onEvent, fail);
    checkStopped(); // the first event may have brought an abort
    const joined = await job.run(data, { rows, cols, k, metric, threads, instructionSet }).catch((error) => {
      checkStopped();
      throw explained(error, data, rows, cols);
    });
    checkStopped();
    stopReports(rows);
    return joined satisfies NativeJoin;
  } finally {
    stopReports();
    signal?.removeEventListener('abort', abort);
  }
}

function checkArguments(data: Float32Array, rows: number, cols: number, options: SelfJoinOptions): void {
  const { k, metric, threads } = options;
  const isCount = (value: number) => Number.isInteger(value) && value >= 0 && value <= maxEntries;
  const kind = Object.prototype.toString.call(data).slice(8, -1); // not by instanceof, which an array of another realm fails
  if (kind !== 'Float32Array') throw new InvalidArgumentError(`data must be a Float32Array, got ${kind}`);
  if (!(isCount(rows) && isCount(cols) && data.length === rows * cols)) {
    throw new ShapeError(`data say ${rows} rows x ${cols} columns and hold ${data.length} numbers; these must agree`);
  }
  if (rows > 0 && cols === 0) {
    throw new ShapeError(`data have ${rows} rows without columns; give at least one column`);
  }
  if (!(Number.isInteger(k) && k >= 1)) throw new InvalidArgumentError(`k must be an integer ≥ 1, got ${k}`);
  if (!isCount(k * Math.max(1, rows))) {
    throw new InvalidArgumentError(`k must be at most ${maxEntries} / rows, got ${k} for ${rows} rows; ask for fewer`);
  }
  if (!metrics.includes(metric)) {
    throw new InvalidArgumentError(`metric must be one of ${metrics.join(', ')}, got ${metric}`);
  }
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= 1024)) {
    throw new InvalidArgumentError(`threads must be an integer from 1 to 1024, got ${threads}`);
  }
}

/**
 * Tells how far the job is, in rows, until the function that it gives is called: with the rows when all are done.
 * @param fail hears what `onEvent` throws to a timer, where nobody else would catch it
 */
function reportProgress(
  job: NativeJob,
  total: number,
  onEvent: CallOptions['onEvent'],
  fail: (error: unknown) => void,
): (done?: number) => void {
  if (!onEvent) return () => {};
  const task = 'self-join';
  const started = performance.now();
  const report = () => onEvent({ type: 'work-progress', task, done: Math.floor(job.progress() * total), total });
  onEvent({ type: 'work-start', task, total });
  const timer = setInterval(() => {
    try {
      report();
    } catch (error) {
      fail(error);
    }
  }, progressMs);
  return (done) => {
    clearInterval(timer);
    if (done === undefined) return;
    report();
    onEvent({ type: 'work-end', task, done, elapsedMs: performance.now() - started });
  };
}

function explained(error: unknown, data: Float32Array, rows: number, cols: number): Error {
  const { message } = error as Error;
  const row = Number(/^not-finite (\d+)$/.exec(message)?.[1] ?? Number.NaN);
  if (!Number.isNaN(row)) {
    const values = data.subarray(row * cols, (row + 1) * cols);
    const column = values.findIndex((value) => !Number.isFinite(value));
    return new NotFiniteError(`data hold ${values[column]} in row ${row}, column ${column}; remove or mend that row`);
  }
  if (message === 'out-of-memory') {
    return new RarefyError(
      `there is not enough memory to join ${rows} rows x ${cols} columns; ask for fewer neighbours, or use an approximate index`,
      { cause: error },
    );
  }
  return new RarefyError(`the native join failed (${message}); use another engine, and report it`, { cause: error });
}
