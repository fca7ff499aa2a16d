import { type CallOptions, type Metric, type Neighbors, startProgress, timeSlices } from '@rarefy/core';
import { canonicalDistance, type Rows } from '../../distance/canonical-distance.js';
import { neighborLists } from '../../rows/neighbor-lists.js';
import type { CandidateEngine } from './candidate-engine.js';
import { float32Bound } from './float32-bound.js';
import { libraryRows } from './library-rows.js';

export interface Ranking {
  /** Rows to find; the engine may hold more by now. */
  readonly points: Rows;
  readonly queries: Rows;
  readonly k: number;
  readonly exclude: Int32Array | undefined;
  readonly metric: Metric;
  readonly scale: number;
  readonly exact: boolean;
  readonly task: string;
}

/** A query that needs more candidates than this is compared with every row. */
const mostCandidates = 1024;
/** Time that one block of queries should take. */
const blockMs = 20;
const mostBlockQueries = 4096;

/**
 * The k nearest rows of every query among an engine's candidates, by (canonical distance, id). An exact engine is asked for more
 * candidates until no other row can be as near as the last neighbor. Without an engine, all rows are compared.
 */
export async function rankCandidates(
  engine: CandidateEngine | undefined,
  ranking: Ranking,
  { signal, onEvent, checkAlive }: CallOptions & { readonly checkAlive: () => void },
): Promise<Neighbors> {
  const { points, queries, k, exclude, metric, scale, exact, task } = ranking;
  const total = queries.rows;
  const slices = timeSlices(signal);
  const progress = startProgress(task, total, onEvent);
  const distance = canonicalDistance[metric];
  const bound = float32Bound(metric, Math.max(1, points.cols), scale);
  const prepared = libraryRows(queries, metric, scale);
  const lists = neighborLists(total, k);
  let largestNorm = 0;
  if (engine && exact) {
    const stored = libraryRows(points, metric, scale);
    for (let row = 0; row < points.rows; row++) largestNorm = Math.max(largestNorm, stored.norm(row));
  }
  const pause = async () => {
    await slices.pause();
    checkAlive();
  };

  const compareWithAll = async (query: number) => {
    lists.clear(query);
    for (let id = 0; id < points.rows; id++) {
      if (id !== exclude?.[query]) lists.offer(query, distance(queries, query, points, id), id);
      if (id % 256 === 0 && slices.due()) await pause();
    }
  };

  /** Requests `count` candidates for each of some queries. Returns the queries whose answer is not proven. */
  const rankWith = async (
    { find }: CandidateEngine,
    wanted: readonly number[],
    count: number,
  ): Promise<readonly number[]> => {
    const { ids, values } = await find(prepared.pick(wanted), wanted.length, count);
    signal?.throwIfAborted();
    checkAlive();
    const seen = new Set<number>();
    return wanted.filter((query, index) => {
      seen.clear();
      lists.clear(query);
      for (let cell = index * count; cell < (index + 1) * count; cell++) {
        const id = Number(ids[cell]);
        if (!(id >= 0 && id < points.rows) || seen.has(id)) continue;
        seen.add(id);
        if (id !== exclude?.[query]) lists.offer(query, distance(queries, query, points, id), id);
      }
      if (!exact || seen.size === points.rows) return false;
      const worst = values![(index + 1) * count - 1]!;
      return !(bound(worst, prepared.norm(query), largestNorm) > lists.farthest(query));
    });
  };

  let block = 8; // adapted to the time that blocks take; the result does not depend on it
  for (let start = 0; start < total; ) {
    const end = Math.min(total, start + block);
    const from = performance.now();
    let wanted: readonly number[] = Array.from({ length: end - start }, (_, index) => start + index);
    const first = 2 * k + 32;
    for (let count = first; engine && wanted.length > 0; count *= 4) {
      const capped = Math.min(count, engine.size);
      if (count > first && capped > mostCandidates) break;
      wanted = await rankWith(engine, wanted, capped);
      if (slices.due()) await pause();
      if (count >= engine.size) break;
    }
    for (const query of wanted) await compareWithAll(query);
    start = end;
    const growth = Math.max(0.5, Math.min(2, blockMs / (performance.now() - from)));
    block = Math.max(1, Math.min(mostBlockQueries, Math.round(block * growth)));
    if (slices.due()) {
      progress.report(start);
      await pause();
    }
  }
  const neighbors = await lists.finish(slices);
  progress.end();
  return neighbors;
}
