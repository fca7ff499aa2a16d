import {
  type CallOptions,
  type Metric,
  type NeighborIndex,
  type Neighbors,
  startProgress,
  timeSlices,
} from '@rarefy/core';
import { checkMetric, type Rows } from '../../distance/canonical-distance.js';
import { recallOfRows } from '../../recall/recall-of-rows.js';
import { withRecall } from '../../recall/report-recall.js';
import { appendRows, noRows, squareRange, unitScale } from '../../rows/rows.js';
import { type StoredIndexParts, storedIndex } from '../../rows/stored-index.js';
import type { CandidateEngine } from './candidate-engine.js';
import { libraryRows } from './library-rows.js';
import { rankCandidates } from './rank-candidates.js';

export interface CandidateIndexOptions {
  readonly metric: Metric;
  readonly fingerprint: string;
  /** Name of the library, for events. */
  readonly name: string;
  /** Whether the engine compares all rows in float32. If so, more candidates are requested until the answer is proven. */
  readonly exact: boolean;
  /** Rows that the library needs before it can start; with fewer, all rows are compared. Default 1. */
  readonly fewestRows?: number;
  readonly createEngine: (cols: number) => CandidateEngine;
  /** The self-join of rows that are read in blocks, if the library has one. */
  readonly joinRows?: StoredIndexParts['joinRows'];
}

/**
 * An index whose neighbors are found by a library and ranked by the canonical distance. It holds a float32 copy of the rows besides
 * the library's own.
 */
export function candidateIndex(options: CandidateIndexOptions): NeighborIndex {
  const { metric, fingerprint, name, exact, fewestRows = 1, createEngine, joinRows } = options;
  checkMetric(metric);
  let scale = 1;
  let engine: CandidateEngine | undefined;
  let building: Promise<unknown> = Promise.resolve();

  /** Adds the rows that the library does not have yet. */
  const build = async (stored: Rows, { signal, onEvent }: CallOptions, checkAlive: () => void): Promise<void> => {
    const slices = timeSlices(signal);
    checkAlive();
    if (!engine) {
      scale = unitScale(squareRange(stored.squaredNorms.subarray(0, stored.rows)).most);
      const created = createEngine(stored.cols);
      created.train?.(libraryRows(stored, metric, scale));
      engine = created;
    }
    if (engine.size >= stored.rows) return;
    const progress = startProgress(`${name} build`, stored.rows, onEvent);
    const rows = libraryRows(stored, metric, scale);
    while (engine.size < stored.rows) {
      await engine.add(rows, Math.min(stored.rows, engine.size + engine.rowsPerAdd));
      if (!slices.due()) continue;
      progress.report(engine.size);
      await slices.pause();
      checkAlive();
    }
    progress.end(engine.size);
  };

  const search = async (
    stored: Rows,
    queries: Rows,
    { k, exclude, ...call }: CallOptions & { readonly k: number; readonly exclude?: Int32Array | undefined },
    checkAlive: () => void,
  ): Promise<Neighbors> => {
    const canBuild = stored.rows > 0 && stored.rows >= fewestRows;
    if (canBuild) {
      // One build at a time: the library cannot add two parts at once.
      const built = building.then(() => build(stored, call, checkAlive));
      building = built.catch(() => {});
      await built;
    }
    const ranking = { points: stored, queries, k, exclude, metric, scale, exact, task: name };
    return rankCandidates(canBuild ? engine : undefined, ranking, { ...call, checkAlive });
  };

  return storedIndex({
    metric,
    fingerprint,
    exact,
    joinRows,
    async search(stored, reader, call, checkAlive) {
      return search(stored, await appendRows(noRows, reader, timeSlices(call.signal)), call, checkAlive);
    },
    async selfJoin(stored, call, checkAlive) {
      const exclude = Int32Array.from({ length: stored.rows }, (_, row) => row);
      const neighbors = await search(stored, stored, { ...call, exclude }, checkAlive);
      if (exact) return neighbors;
      return withRecall(neighbors, await recallOfRows(stored, neighbors, { metric, ...call }), name, call.onEvent);
    },
    async dispose() {
      await building;
      engine?.dispose();
      engine = undefined;
    },
  });
}
