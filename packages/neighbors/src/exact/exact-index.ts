import type { CallOptions, Metric, NeighborIndex, Neighbors, RowSource } from '@rarefy/core';
import { searchRows } from './all-pairs.js';
import { canonicalDistance } from './canonical-distance.js';
import { checkCount, checkQueries } from './checks.js';
import { checkEngineOptions, chooseEngine, defaultMemoryBytes, type ExactEngineOptions } from './engine.js';
import { exactNeighbors, joinReader } from './exact-neighbors.js';
import { readerOf, rowsReader } from './join/row-reader.js';
import { wasmSearch } from './join/wasm-join.js';
import { rowStore } from './row-store.js';
import { appendReader, noRows, type Rows } from './rows.js';
import { timeSlices } from './time-slices.js';

export interface ExactIndexOptions extends ExactEngineOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
}

/** Shared memory for rows that are read in blocks, which their owner will not have in memory. */
const blockwiseBytes = 2 ** 28;

/** Queries from which on reading all rows into an engine's memory pays. */
const queriesPay = 64;

/**
 * Exact nearest neighbours: every distance is {@link canonicalDistance}'s to the last bit, whatever engine computes them. `selfJoin`
 * is {@link exactNeighbors}, and so is `joinRows`, in 256 MiB unless `memoryBytes` is given; `search` of many queries takes the wasm engine, too. Vectors are copied. A distance too large for
 * float32 is an infinity. Adding while a search runs is allowed: the search answers for the rows it began with.
 * @throws InvalidArgumentError for an unknown metric or engine, or options out of range.
 */
export function exactIndex({ metric = 'euclidean', ...engine }: ExactIndexOptions = {}): NeighborIndex {
  return rowsIndex({
    metric,
    engine,
    fingerprint: `exact-index:metric=${metric}`,
    exact: true,
    join: (points, call) => joinReader(rowsReader(points, 'vectors'), { ...engine, ...call, metric }, true),
    joinSource(rows, call) {
      const { memoryBytes = blockwiseBytes } = engine;
      return exactNeighbors(rows, { ...engine, ...call, memoryBytes, metric });
    },
  });
}

type JoinCall = CallOptions & { readonly k: number };

/** What tells one index that keeps all rows from another. */
export interface RowsIndexOptions {
  readonly metric: Metric;
  /** For searches. */
  readonly engine: ExactEngineOptions;
  readonly fingerprint: string;
  /** Whether the self-joins are. */
  readonly exact: boolean;
  readonly join: (points: Rows, call: JoinCall) => Promise<Neighbors>;
  readonly joinSource: (rows: RowSource, call: JoinCall) => Promise<Neighbors>;
}

/** An index that keeps a copy of all rows, searches them exactly, and joins them as it is told. */
export function rowsIndex({ metric, engine, fingerprint, exact, join, joinSource }: RowsIndexOptions): NeighborIndex {
  checkEngineOptions(metric, engine);
  const store = rowStore();
  return {
    specificationVersion: 'v1',
    kind: 'neighbor-index',
    fingerprint,
    capabilities: { exact, incremental: true },
    metric,
    get size() {
      return store.rows.rows;
    },
    add: store.add,
    async search(queries, options) {
      store.checkAlive();
      const { k, exclude } = options;
      const held = store.rows;
      const reader = readerOf(queries, 'queries', options);
      checkCount(k, reader.rows);
      checkQueries(reader, held, exclude);
      const products = reader.rows < queriesPay ? 0 : reader.rows * held.rows * held.cols;
      const chosen = await chooseEngine(engine, products, false);
      if (chosen.name === 'wasm' && held.rows > 0 && reader.rows > 0) {
        const { workers, memoryBytes = defaultMemoryBytes } = engine;
        const { signal, onEvent } = options;
        const join = { k, metric, workers, memoryBytes, signal, onEvent };
        return (await wasmSearch(reader, rowsReader(held, 'vectors'), exclude, join)).neighbors;
      }
      const rows = await appendReader(noRows, reader, timeSlices(options.signal));
      return searchRows(rows, held, k, canonicalDistance[metric], exclude, options);
    },
    async selfJoin({ k, signal, onEvent }) {
      store.checkAlive();
      checkCount(k, store.rows.rows);
      return graphOf(await join(store.rows, { k, signal, onEvent }));
    },
    async joinRows(rows, { k, signal, onEvent }) {
      store.checkAlive();
      checkCount(k, rows.rows);
      return graphOf(await joinSource(rows, { k, signal, onEvent }));
    },
    async [Symbol.asyncDispose]() {
      store.dispose();
    },
  };
}

/** The graph without what an engine tells besides. */
function graphOf({ rows, k, ids, distances, recall }: Neighbors): Neighbors {
  return { rows, k, ids, distances, ...(recall && { recall }) };
}
