import {
  type CallOptions,
  callOptionNames,
  checkOptions,
  type Metric,
  type NeighborIndex,
  type Neighbors,
  RarefyError,
  type RowSource,
  type SearchOptions,
  timeSlices,
} from '@rarefy/core';
import type { Rows } from '../distance/canonical-distance.js';
import { checkCount, checkQueries } from './checks.js';
import { type RowReader, readerOf } from './row-reader.js';
import { appendRows, noRows } from './rows.js';

export type JoinCall = CallOptions & { readonly k: number };

/** What distinguishes one index that keeps its rows in memory from another. Arguments were checked. */
export interface StoredIndexParts {
  readonly metric: Metric;
  readonly fingerprint: string;
  readonly exact: boolean;
  /** @param checkAlive throws if the index was disposed; long work calls it after pauses */
  search(stored: Rows, queries: RowReader, call: SearchOptions, checkAlive: () => void): Promise<Neighbors>;
  selfJoin(stored: Rows, call: JoinCall, checkAlive: () => void): Promise<Neighbors>;
  /** The self-join of rows that are read in blocks, if the index has one. */
  readonly joinRows?: ((rows: RowSource, call: JoinCall) => Promise<Neighbors>) | undefined;
  /** Frees what the index holds besides its rows. */
  dispose?(): Promise<void>;
}

/** An index that keeps a copy of its rows. Work that has started is not affected by rows added later. */
export function storedIndex(parts: StoredIndexParts): NeighborIndex {
  const { metric, fingerprint, exact, joinRows } = parts;
  let stored: Rows | undefined = noRows;
  let adding: Promise<unknown> = Promise.resolve();
  const alive = (): Rows => {
    if (!stored) throw new RarefyError('this index was disposed; create a new one');
    return stored;
  };
  return {
    specificationVersion: 'v1',
    kind: 'neighbor-index',
    fingerprint,
    capabilities: { exact, incremental: true },
    metric,
    get size() {
      return stored?.rows ?? 0;
    },
    async add(vectors, options = {}) {
      options.signal?.throwIfAborted();
      alive();
      const reader = readerOf(vectors, 'vectors', options);
      // One call at a time, so that each adds its rows after those of the call before.
      const added = adding.then(async () => {
        const longer = await appendRows(alive(), reader, timeSlices(options.signal));
        alive();
        stored = longer;
      });
      adding = added.catch(() => {});
      await added;
    },
    async search(queries, options) {
      const call = checkOptions(options, ['k', 'exclude', ...callOptionNames], 'search');
      const held = alive();
      const reader = readerOf(queries, 'queries', call);
      checkCount(call.k, reader.rows);
      checkQueries(reader, held, call.exclude);
      return parts.search(held, reader, call, alive);
    },
    async selfJoin(options) {
      const { k, signal, onEvent } = checkOptions(options, ['k', ...callOptionNames], 'selfJoin');
      signal?.throwIfAborted();
      const held = alive();
      checkCount(k, held.rows);
      return graphOf(await parts.selfJoin(held, { k, signal, onEvent }, alive));
    },
    ...(joinRows && {
      async joinRows(rows, options) {
        const { k, signal, onEvent } = checkOptions(options, ['k', ...callOptionNames], 'joinRows');
        signal?.throwIfAborted();
        alive();
        checkCount(k, rows.rows);
        return graphOf(await joinRows(rows, { k, signal, onEvent }));
      },
    }),
    async [Symbol.asyncDispose]() {
      stored = undefined;
      await parts.dispose?.();
    },
  };
}

/** The graph without what an engine reports besides. */
function graphOf({ rows, k, ids, distances, recall }: Neighbors): Neighbors {
  return { rows, k, ids, distances, ...(recall && { recall }) };
}
