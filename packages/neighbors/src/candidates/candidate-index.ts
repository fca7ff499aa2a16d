import type { CallOptions, Metric, NeighborIndex, Neighbors, RowSource } from '@rarefy/core';
import { checkCount, checkMetric, checkQueries } from '../exact/checks.js';
import { readerOf } from '../exact/join/row-reader.js';
import { rowStore } from '../exact/row-store.js';
import { appendReader, noRows, type Rows } from '../exact/rows.js';
import { timeSlices } from '../exact/time-slices.js';
import { recallOfRows } from '../recall/recall-of-rows.js';
import { withRecall } from '../recall/with-recall.js';
import type { CandidateEngine } from './candidate-engine.js';
import { libraryRows, powerOfTwoScale } from './library-rows.js';
import { rankCandidates } from './rank-candidates.js';

export interface CandidateIndexOptions {
  readonly metric: Metric;
  readonly fingerprint: string;
  /** Name of the library, for messages. */
  readonly name: string;
  /** Whether the engine compares all rows in float32: then candidates are asked for until the answer is proven. */
  readonly exact: boolean;
  /** Rows that the library needs to begin with; below that all rows are compared canonically. Default 1. */
  readonly fewestRows?: number;
  readonly createEngine: (cols: number) => CandidateEngine;
  /** The self-join of rows that are read in blocks, where the library has one. */
  readonly joinSource?: (points: RowSource, call: CallOptions & { readonly k: number }) => Promise<Neighbors>;
}

/** An index whose neighbours a library finds and the canonical distance ranks. Rows are copied: float32 here and as the library keeps them. */
export function candidateIndex(options: CandidateIndexOptions): NeighborIndex {
  const { metric, fingerprint, name, exact, fewestRows = 1, createEngine, joinSource } = options;
  checkMetric(metric);
  const store = rowStore();
  const { checkAlive } = store;
  let scale = 1;
  let engine: CandidateEngine | undefined;
  let catchingUp: Promise<unknown> = Promise.resolve();

  /** Gives the library the rows that it has not got. One caller at a time: it cannot take two parts at once. */
  const catchUp = async (upTo: Rows, { signal, onEvent }: CallOptions): Promise<CandidateEngine | undefined> => {
    if (upTo.rows < fewestRows || upTo.rows === 0) return undefined;
    const turn = catchingUp.then(async () => {
      const slices = timeSlices(signal);
      checkAlive();
      if (!engine) {
        scale = powerOfTwoScale(upTo);
        const created = createEngine(upTo.cols);
        created.train?.(libraryRows(upTo, metric, scale));
        engine = created;
      }
      if (engine.size >= upTo.rows) return;
      const task = `${name} build`;
      const started = performance.now();
      onEvent?.({ type: 'work-start', task, total: upTo.rows });
      const rows = libraryRows(upTo, metric, scale);
      while (engine.size < upTo.rows) {
        await engine.add(rows, Math.min(upTo.rows, engine.size + engine.rowsPerAdd));
        if (!slices.due()) continue;
        onEvent?.({ type: 'work-progress', task, done: engine.size, total: upTo.rows });
        await slices.pause();
        checkAlive();
      }
      onEvent?.({ type: 'work-end', task, done: engine.size, elapsedMs: performance.now() - started });
    });
    catchingUp = turn.catch(() => {});
    await turn;
    return engine;
  };

  const search = async (
    stored: Rows,
    queries: Rows,
    { k, exclude, ...call }: CallOptions & { readonly k: number; readonly exclude?: Int32Array | undefined },
  ): Promise<Neighbors> => {
    const found = await catchUp(stored, call);
    const ranking = { points: stored, queries, k, exclude, metric, scale, exact, task: name };
    return rankCandidates(found, ranking, { ...call, checkAlive });
  };

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
    async search(queries, call) {
      checkAlive();
      const stored = store.rows;
      const reader = readerOf(queries, 'queries', call);
      checkCount(call.k, reader.rows);
      checkQueries(reader, stored, call.exclude);
      return search(stored, await appendReader(noRows, reader, timeSlices(call.signal)), call);
    },
    async selfJoin(call) {
      call.signal?.throwIfAborted();
      checkAlive();
      const stored = store.rows;
      checkCount(call.k, stored.rows);
      const exclude = Int32Array.from({ length: stored.rows }, (_, row) => row);
      const neighbors = await search(stored, stored, { ...call, exclude });
      if (exact) return neighbors;
      return withRecall(neighbors, await recallOfRows(stored, neighbors, { metric, ...call }), name, call.onEvent);
    },
    ...(joinSource && {
      async joinRows(source, { k, signal, onEvent }) {
        signal?.throwIfAborted();
        checkAlive();
        checkCount(k, source.rows);
        return joinSource(source, { k, signal, onEvent });
      },
    }),
    async [Symbol.asyncDispose]() {
      store.dispose();
      await catchingUp;
      engine?.dispose();
      engine = undefined;
    },
  };
}
