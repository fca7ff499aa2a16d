import type { CallOptions, Matrix, Metric, Neighbors, RowSource } from '@rarefy/core';
import { selfJoinRows } from './all-pairs.js';
import { canonicalDistance } from './canonical-distance.js';
import { checkCount } from './checks.js';
import { checkEngineOptions, chooseEngine, defaultMemoryBytes, type ExactEngineOptions } from './engine.js';
import { distinctRowsOf } from './join/distinct-rows.js';
import { type RowReader, readerOf } from './join/row-reader.js';
import { wasmSelfJoin } from './join/wasm-join.js';
import { nativeJoin } from './native-join.js';
import { appendReader, noRows } from './rows.js';
import { timeSlices } from './time-slices.js';

export interface ExactNeighborsOptions extends CallOptions, ExactEngineOptions {
  /** Neighbours a row; an integer ≥ 1. */
  readonly k: number;
  /** Default `euclidean`. */
  readonly metric?: Metric;
}

export interface ExactNeighbors extends Neighbors {
  /** What computed them. */
  readonly engine: 'wasm' | 'native' | 'typescript';
  /** Rows left when equal ones are one; where rows are joined in parts, equal ones of different parts count apart. */
  readonly distinctRows: number;
  /** Rows for which the pre-filter could not tell the nearest, so that all their distances were computed: a count of time, not of
   * errors. Depends on the order of work. 0 for `typescript`, which has no pre-filter. */
  readonly fullScans: number;
}

/**
 * The k nearest other rows of every row, exactly: the same bytes from every engine, for any number of workers, on every machine.
 * A distance is {@link canonicalDistance}'s; neighbours are ordered by (distance, id); where there are fewer than k others, the
 * missing ones are id -1 at +Infinity.
 *
 * Time grows with the square of the number of distinct rows. The wasm engine takes about 3.2 KB a row of 384 columns at k = 20, as
 * shared memory, and 8 KB more for a row among many near copies; rows beyond `memoryBytes` are joined in parts, read from `points` as often as there are parts. Rows must not
 * change until the call has settled.
 * @throws ShapeError; NotFiniteError naming the first row with a NaN or infinity; InvalidArgumentError for options out of range;
 * MissingDependencyError for `native` where it is absent; RarefyError when memory is short or a worker fails.
 */
export async function exactNeighbors(
  points: Matrix | RowSource,
  options: ExactNeighborsOptions,
): Promise<ExactNeighbors> {
  const { metric = 'euclidean', k } = options;
  checkEngineOptions(metric, options);
  const reader = readerOf(points, 'points', options);
  checkCount(k, reader.rows);
  options.signal?.throwIfAborted();
  return joinReader(reader, { ...options, metric }, 'data' in points);
}

/** @param isInMemory whether the native engine, which wants all rows in one array, may take them */
export async function joinReader(
  reader: RowReader,
  options: ExactNeighborsOptions & { readonly metric: Metric },
  isInMemory: boolean,
): Promise<ExactNeighbors> {
  const { metric, k, signal, onEvent, workers, memoryBytes = defaultMemoryBytes } = options;
  const { rows, cols } = reader;
  const chosen = await chooseEngine(options, (rows * rows * cols) / 2, isInMemory && rows > 1);
  if (chosen.name === 'wasm' && rows > 0) {
    const { neighbors, ...counts } = await wasmSelfJoin(reader, { k, metric, workers, memoryBytes, signal, onEvent });
    return { ...neighbors, engine: 'wasm', ...counts };
  }
  const slices = timeSlices(signal);
  if (chosen.name === 'native') return nativeJoin(chosen.module, reader, options, slices);
  const all = await appendReader(noRows, reader, slices);
  const neighbors = await selfJoinRows(all, k, canonicalDistance[metric], options);
  const distinctRows = await distinctRowsOf(all, slices);
  return { ...neighbors, engine: 'typescript', distinctRows, fullScans: 0 };
}
