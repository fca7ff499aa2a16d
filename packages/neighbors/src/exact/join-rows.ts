import { type CallOptions, type Metric, type Neighbors, type SearchOptions, timeSlices } from '@rarefy/core';
import { canonicalDistance, type Rows } from '../distance/canonical-distance.js';
import { groupEqualRows } from '../rows/equal-rows.js';
import { type RowReader, rowsReader } from '../rows/row-reader.js';
import { appendRows, noRows } from '../rows/rows.js';
import { searchRows, selfJoinRows } from './all-pairs.js';
import { checkEngineOptions, chooseEngine, defaultMemoryBytes, type ExactEngineOptions } from './engine.js';
import { wasmSearch, wasmSelfJoin } from './join/wasm-join.js';
import { nativeSelfJoin } from './native.js';

export interface ExactNeighbors extends Neighbors {
  /** The engine that computed them. */
  readonly engine: 'wasm' | 'native' | 'typescript';
  /** Number of groups of equal rows. When rows are joined in parts, equal rows of different parts count separately. */
  readonly distinctRows: number;
  /**
   * Rows whose distances to all other rows were computed because the pre-filter could not tell which are nearest. They cost time
   * but are not errors. The number depends on the order of work. 0 for `typescript`, which has no pre-filter.
   */
  readonly fullScans: number;
}

export type JoinOptions = CallOptions & ExactEngineOptions & { readonly k: number; readonly metric: Metric };

/** The k nearest other rows of every row, by the engine of the options. Arguments were checked. */
export async function joinRows(reader: RowReader, options: JoinOptions): Promise<ExactNeighbors> {
  const { k, metric, workers, memoryBytes = defaultMemoryBytes, signal, onEvent } = options;
  const { rows, cols, held } = reader;
  const canBeNative = held !== undefined && rows > 1;
  const chosen = await chooseEngine(options, (rows * rows * cols) / 2, canBeNative);
  if (chosen.name === 'wasm' && rows > 0) {
    const { neighbors, ...counts } = await wasmSelfJoin(reader, { k, metric, workers, memoryBytes, signal, onEvent });
    return { ...neighbors, engine: 'wasm', ...counts };
  }
  const slices = timeSlices(signal);
  if (chosen.name === 'native') {
    return { rows, k, engine: 'native', ...(await nativeSelfJoin(chosen.module, reader, options, slices)) };
  }
  const points = await appendRows(noRows, reader, slices);
  const neighbors = await selfJoinRows(points, k, canonicalDistance[metric], options);
  const { distinct } = await groupEqualRows(points, slices);
  return { ...neighbors, engine: 'typescript', distinctRows: distinct.length, fullScans: 0 };
}

/** Number of queries from which on it pays to read all rows into the memory of the wasm engine. */
const manyQueries = 64;

/**
 * The exact search of an index that keeps its rows.
 * @throws InvalidArgumentError if an option is out of range.
 */
export function exactSearch(metric: Metric, options: ExactEngineOptions) {
  checkEngineOptions(metric, options);
  return async (
    stored: Rows,
    queries: RowReader,
    { k, exclude, signal, onEvent }: SearchOptions,
  ): Promise<Neighbors> => {
    const products = queries.rows < manyQueries ? 0 : queries.rows * stored.rows * stored.cols;
    const chosen = await chooseEngine(options, products, false);
    if (chosen.name === 'wasm' && stored.rows > 0 && queries.rows > 0) {
      const { workers, memoryBytes = defaultMemoryBytes } = options;
      const join = { k, metric, workers, memoryBytes, signal, onEvent };
      return (await wasmSearch(queries, rowsReader(stored, 'vectors'), exclude, join)).neighbors;
    }
    const rows = await appendRows(noRows, queries, timeSlices(signal));
    return searchRows(rows, stored, k, canonicalDistance[metric], exclude, { signal, onEvent });
  };
}
