import type { CallOptions, Metric, Neighbors } from '@rarefy/core';
import { canonicalDistance } from '../exact/canonical-distance.js';
import { neighborLists } from '../exact/neighbor-lists.js';
import type { Rows } from '../exact/rows.js';
import { timeSlices } from '../exact/time-slices.js';
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
const sliceMs = 20;

/**
 * The k nearest rows of every query among an engine's candidates, by (canonical distance, id). Of an exact engine more candidates
 * are asked for until no other row can be as near as the last neighbour; without an engine all rows are compared.
 */
export async function rankCandidates(
  engine: CandidateEngine | undefined,
  ranking: Ranking,
  { signal, onEvent, checkAlive }: CallOptions & { readonly checkAlive: () => void },
): Promise<Neighbors> {
  const { points, queries, k, exclude, metric, scale, exact, task } = ranking;
  const total = queries.rows;
  const started = performance.now();
  const slices = timeSlices(signal);
  onEvent?.({ type: 'work-start', task, total });
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

  /** Asks for candidates of some queries; returns those whose answer is not proven. */
  const ask = async (wanted: readonly number[], count: number): Promise<number[]> => {
    const { cols } = points;
    const vectors = new Float32Array(wanted.length * cols);
    wanted.forEach((query, at) => {
      vectors.set(prepared.slice(query, query + 1), at * cols);
    });
    const { ids, values } = await engine!.find(vectors, wanted.length, count);
    signal?.throwIfAborted();
    checkAlive();
    const seen = new Set<number>();
    return wanted.filter((query, at) => {
      seen.clear();
      lists.clear(query);
      for (let c = at * count; c < (at + 1) * count; c++) {
        const id = Number(ids[c]);
        if (!(id >= 0 && id < points.rows) || seen.has(id)) continue;
        seen.add(id);
        if (id !== exclude?.[query]) lists.offer(query, distance(queries, query, points, id), id);
      }
      if (!exact || seen.size === points.rows) return false;
      const worst = values![(at + 1) * count - 1]!;
      return !(bound(worst, prepared.norm(query), largestNorm) > lists.farthest(query));
    });
  };

  // The size of a block follows the clock; no answer depends on it.
  let block = 8;
  for (let start = 0; start < total; ) {
    const end = Math.min(total, start + block);
    const from = performance.now();
    let wanted = Array.from({ length: end - start }, (_, at) => start + at);
    if (engine) {
      for (let count = 2 * k + 32; wanted.length > 0; count *= 4) {
        const capped = Math.min(count, engine.size);
        if (count > 2 * k + 32 && capped > mostCandidates) break;
        wanted = await ask(wanted, capped);
        if (slices.due()) await pause();
        if (count >= engine.size) break;
      }
    }
    for (const query of wanted) await compareWithAll(query);
    start = end;
    block = Math.max(
      1,
      Math.min(4096, Math.round(block * Math.max(0.5, Math.min(2, sliceMs / (performance.now() - from))))),
    );
    if (slices.due()) {
      onEvent?.({ type: 'work-progress', task, done: start, total });
      await pause();
    }
  }
  const neighbors = await lists.finish(slices);
  onEvent?.({ type: 'work-end', task, done: total, elapsedMs: performance.now() - started });
  return neighbors;
}
