import {
  type CallOptions,
  type Metric,
  type NeighborIndex,
  type Neighbors,
  RarefyError,
  type RowSource,
  ShapeError,
} from '@rarefy/core';
import { searchRows } from './all-pairs.js';
import { canonicalDistance } from './canonical-distance.js';
import { checkEngineOptions, chooseEngine, defaultMemoryBytes, type ExactEngineOptions } from './engine.js';
import { checkCount, exactNeighbors, joinReader } from './exact-neighbors.js';
import { readerOf, rowsReader } from './join/row-reader.js';
import { wasmSearch } from './join/wasm-join.js';
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
  let points = noRows;
  let adding: Promise<unknown> = Promise.resolve();
  let disposed = false;
  const checkAlive = () => {
    if (disposed) throw new RarefyError('this index was disposed; make a new one');
  };
  return {
    specificationVersion: 'v1',
    kind: 'neighbor-index',
    fingerprint,
    capabilities: { exact, incremental: true },
    metric,
    get size() {
      return points.rows;
    },
    async add(vectors, options = {}) {
      options.signal?.throwIfAborted();
      checkAlive();
      const reader = readerOf(vectors, 'vectors', options);
      // One after the other, so that each adds below what is there.
      const added = adding.then(async () => {
        const longer = await appendReader(points, reader, timeSlices(options.signal));
        checkAlive();
        points = longer;
      });
      adding = added.catch(() => {});
      await added;
    },
    async search(queries, options) {
      checkAlive();
      const { k, exclude } = options;
      checkCount(k);
      if (exclude !== undefined && exclude.length !== queries.rows) {
        throw new ShapeError(`exclude has ${exclude.length} ids for ${queries.rows} queries; give one id a query`);
      }
      const held = points;
      const reader = readerOf(queries, 'queries', options);
      if (held.rows > 0 && reader.rows > 0 && reader.cols !== held.cols) {
        throw new ShapeError(`queries have ${reader.cols} columns and the index holds rows of ${held.cols}`);
      }
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
      checkAlive();
      checkCount(k);
      return graphOf(await join(points, { k, signal, onEvent }));
    },
    async joinRows(rows, { k, signal, onEvent }) {
      checkAlive();
      checkCount(k);
      return graphOf(await joinSource(rows, { k, signal, onEvent }));
    },
    async [Symbol.asyncDispose]() {
      points = noRows;
      disposed = true;
    },
  };
}

/** The graph without what an engine tells besides. */
function graphOf({ rows, k, ids, distances, recall }: Neighbors): Neighbors {
  return { rows, k, ids, distances, ...(recall && { recall }) };
}
