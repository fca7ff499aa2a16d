import {
  type CallOptions,
  InvalidArgumentError,
  type Metric,
  type NeighborIndex,
  type Neighbors,
  RarefyError,
  type RowSource,
  ShapeError,
} from '@rarefy/core';
import { canonicalDistance } from '../exact/canonical-distance.js';
import { appendRows, noRows, type Rows } from '../exact/rows.js';
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
  let points = noRows;
  let scale = 1;
  let engine: CandidateEngine | undefined;
  let catchingUp: Promise<unknown> = Promise.resolve();
  let disposed = false;
  const checkAlive = () => {
    if (disposed) throw new RarefyError('this index was disposed; make a new one');
  };

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
    queries: Rows,
    { k, exclude, ...call }: CallOptions & { readonly k: number; readonly exclude?: Int32Array | undefined },
  ): Promise<Neighbors> => {
    const stored = points;
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
      return points.rows;
    },
    async add(vectors, { signal } = {}) {
      signal?.throwIfAborted();
      checkAlive();
      points = appendRows(points, vectors, 'vectors');
    },
    async search(queries, call) {
      call.signal?.throwIfAborted();
      checkAlive();
      checkCount(call.k);
      if (call.exclude !== undefined && call.exclude.length !== queries.rows) {
        throw new ShapeError(`exclude has ${call.exclude.length} ids for ${queries.rows} queries; give one id a query`);
      }
      const rows = appendRows(noRows, queries, 'queries');
      if (points.rows > 0 && rows.rows > 0 && rows.cols !== points.cols) {
        throw new ShapeError(`queries have ${rows.cols} columns and the index holds rows of ${points.cols}`);
      }
      return search(rows, call);
    },
    async selfJoin(call) {
      call.signal?.throwIfAborted();
      checkAlive();
      checkCount(call.k);
      const stored = points;
      const exclude = Int32Array.from({ length: stored.rows }, (_, row) => row);
      const neighbors = await search(stored, { ...call, exclude });
      if (exact) return neighbors;
      return withRecall(neighbors, await recallOfRows(stored, neighbors, { metric, ...call }), name, call.onEvent);
    },
    ...(joinSource && {
      async joinRows(source, { k, signal, onEvent }) {
        signal?.throwIfAborted();
        checkAlive();
        checkCount(k);
        return joinSource(source, { k, signal, onEvent });
      },
    }),
    async [Symbol.asyncDispose]() {
      disposed = true;
      points = noRows;
      await catchingUp;
      engine?.dispose();
      engine = undefined;
    },
  };
}

/** @throws InvalidArgumentError for a name that is no metric. */
export function checkMetric(metric: Metric): void {
  if (Object.hasOwn(canonicalDistance, metric)) return;
  throw new InvalidArgumentError(`metric must be one of ${Object.keys(canonicalDistance).join(', ')}, got ${metric}`);
}

/** @throws InvalidArgumentError for a number of neighbours that is no integer above 0. */
export function checkCount(k: number): void {
  if (!(Number.isInteger(k) && k >= 1)) throw new InvalidArgumentError(`k must be an integer ≥ 1, got ${k}`);
}
