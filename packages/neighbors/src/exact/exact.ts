import {
  type CallOptions,
  callOptionNames,
  checkOptions,
  type Matrix,
  type Metric,
  type NeighborIndex,
  type RowSource,
} from '@rarefy/core';
import { checkCount } from '../rows/checks.js';
import { readerOf, rowsReader } from '../rows/row-reader.js';
import { storedIndex } from '../rows/stored-index.js';
import { blockwiseMemoryBytes, checkEngineOptions, type ExactEngineOptions, engineOptionNames } from './engine.js';
import { type ExactNeighbors, exactSearch, joinRows } from './join-rows.js';

export type { ExactEngine, ExactEngineOptions } from './engine.js';
export type { ExactNeighbors } from './join-rows.js';
export type { NativeNeighbors } from './native.js';

export interface ExactNeighborsOptions extends CallOptions, ExactEngineOptions {
  /** Neighbors per row; an integer ≥ 1. */
  readonly k: number;
  /** Default `euclidean`. */
  readonly metric?: Metric;
}

/**
 * The k nearest other rows of every row, exactly: the same bytes from every engine, for any number of workers, on every machine.
 * Distances are canonical (float64 sums in a fixed order, rounded once to float32), and neighbors are ordered by (distance, id).
 * If a row has fewer than k others, the missing ones are id -1 at +Infinity.
 *
 * Time grows with the square of the number of distinct rows. The wasm engine takes about 3.2 KB of shared memory per row of 384
 * columns at k = 20, and 8 KB more for a row among many near copies. Rows beyond `memoryBytes` are joined in parts and read from
 * `points` once per part. The rows must not change until the promise settles.
 * @throws ShapeError if `points` is not a valid matrix; NotFiniteError naming the first row with NaN or infinity;
 * InvalidArgumentError if an option is unknown or out of range; MissingDependencyError if the engine is `native` and the package
 * is not installed; RarefyError if there is not enough memory or a worker fails.
 */
export async function exactNeighbors(
  points: Matrix | RowSource,
  options: ExactNeighborsOptions,
): Promise<ExactNeighbors> {
  const known = ['k', 'metric', ...engineOptionNames, ...callOptionNames];
  const { metric = 'euclidean', k } = checkOptions(options, known, 'exactNeighbors');
  checkEngineOptions(metric, options);
  const reader = readerOf(points, 'points', options);
  checkCount(k, reader.rows);
  options.signal?.throwIfAborted();
  return joinRows(reader, { ...options, metric });
}

export interface ExactIndexOptions extends ExactEngineOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
}

/**
 * An index of exact nearest neighbors: every engine returns the same bytes. `selfJoin` is {@link exactNeighbors}, and so is
 * `joinRows`, which takes 256 MiB of shared memory unless `memoryBytes` is given. `search` of many queries uses the wasm engine.
 * Vectors are copied. A distance that is too large for float32 is +Infinity. Rows may be added while a search runs; the search
 * covers the rows that were there when it began.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function exactIndex(options: ExactIndexOptions = {}): NeighborIndex {
  checkOptions(options, ['metric', ...engineOptionNames], 'exactIndex');
  const { metric = 'euclidean', ...engine } = options;
  checkEngineOptions(metric, engine);
  return storedIndex({
    metric,
    fingerprint: `exact-index:metric=${metric}`,
    exact: true,
    search: exactSearch(metric, engine),
    selfJoin: (stored, call) => joinRows(rowsReader(stored, 'vectors'), { ...engine, ...call, metric }),
    joinRows(rows, call) {
      const { memoryBytes = blockwiseMemoryBytes } = engine;
      return exactNeighbors(rows, { ...engine, ...call, memoryBytes, metric });
    },
  });
}
