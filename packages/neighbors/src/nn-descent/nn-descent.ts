import {
  type CallOptions,
  InvalidArgumentError,
  type Matrix,
  type MeasuredRecall,
  type Metric,
  type Neighbors,
  type RowSource,
} from '@rarefy/core';
import { checkCount, checkMetric } from '../exact/checks.js';
import { joinReader } from '../exact/exact-neighbors.js';
import { distanceToCopies, expandGroups } from '../exact/join/expand-groups.js';
import { type RowReader, readerOf } from '../exact/join/row-reader.js';
import type { Rows } from '../exact/rows.js';
import { timeSlices } from '../exact/time-slices.js';
import { availableWorkers, hasSharedWorkers } from '../kernels/start-worker.js';
import { withRecall } from '../recall/with-recall.js';
import { checkGraph } from './check-graph.js';
import { descend } from './descend.js';
import { descentCrew } from './descent-crew.js';
import { descentMemory } from './descent-memory.js';
import { quantiseRows } from './quantise-rows.js';
import { rankEntries } from './rank-entries.js';
import { rowBlocks } from './row-blocks.js';
import { type ScannedRows, scanRows } from './scan-rows.js';

export interface NnDescentSettings {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** Fixes the graph; a safe integer, default 0. */
  readonly seed?: number;
  /** Projection trees that the search begins with; default 12. */
  readonly trees?: number;
  /** Neighbours kept a row while searching, at least k; default k + 6, or 16. More find more and cost more. */
  readonly width?: number;
  /** Candidates a row and round, fresh and old apart, 1 to 60; default 0.55 `width`. */
  readonly candidates?: number;
  /** Most rounds; default 30. The search ends before when 0.3 % of the neighbours or fewer are new. */
  readonly rounds?: number;
  /** Rows whose recall is measured; default 1,000. */
  readonly recallSample?: number;
  /** Bytes of rows of a `RowSource` that are in memory at a time while they are ranked; default 512 MiB. Changes no number. */
  readonly blockBytes?: number;
  /** Worker threads, 1 to 256; default as many as the machine runs at once, and none for small inputs. Changes no number. */
  readonly workers?: number;
}

export interface NnDescentOptions extends CallOptions, NnDescentSettings {
  /** Neighbours a row; an integer ≥ 1. */
  readonly k: number;
}

/** An approximate graph; its recall is always known. */
export interface ApproximateNeighbors extends Neighbors {
  readonly recall: MeasuredRecall;
}

const leafRows = 64;
const fewFresh = 0.003;
/** Different rows up to which all are compared. */
const exactRows = 1024;
/** Numbers from which on starting workers pays: some 50 ms of one core. */
const workersPay = 2 ** 21;

/**
 * The k nearest other rows of nearly every row, by NN-descent: neighbours of neighbours are compared until hardly any is new. About
 * rows^1.1 in time, where exact search is quadratic. The graph comes with its recall measured on sampled rows against exact search,
 * and with a warning (`low-recall`) below 0.95. Equal rows are searched as one. Few rows, or k not far below their number, are compared
 * all with all.
 *
 * The search runs on int16 rows in WebAssembly, in worker threads; the distances of what it keeps are the canonical ones, and
 * neighbours are ordered by (distance, id). The same bytes for a seed, for any number of workers, on every machine. By `dot` it is good
 * only where rows are about equally long: recall tells.
 *
 * What is much nearer than 1/10,000 of the data's extent is not told apart while searching.
 *
 * Memory besides the rows: about 2 bytes a column and 30 + 8 width + 16 candidates, 1.1 KB a row of 384 columns at k = 10, at most
 * 4 GiB in all, and 70 + 16 k bytes a row for the result. Rows of a `RowSource` are read three times and more, in blocks; they must
 * not change until the call has settled.
 * Source: Dong, Moses and Li, "Efficient k-nearest neighbor graph construction for generic similarity measures", WWW 2011.
 * @throws ShapeError; NotFiniteError naming the first row with a NaN or infinity; InvalidArgumentError for options out of range;
 * RarefyError when memory is short or a worker fails.
 */
export async function nnDescent(points: Matrix | RowSource, options: NnDescentOptions): Promise<ApproximateNeighbors> {
  const reader = readerOf(points, 'points', options);
  checkCount(options.k, reader.rows);
  return descentGraph(points, reader, undefined, options);
}

/**
 * {@link nnDescent} of rows in any form.
 * @param earlier what a pass over the rows told already
 */
export async function descentGraph(
  points: Matrix | RowSource | Rows,
  reader: RowReader,
  earlier: ScannedRows | undefined,
  options: NnDescentOptions,
): Promise<ApproximateNeighbors> {
  const { k, metric = 'euclidean', signal, onEvent } = options;
  checkSettings(k, options);
  const { rows } = reader;
  const task = 'nn-descent';
  const started = performance.now();
  const slices = timeSlices(signal);
  onEvent?.({ type: 'work-start', task, total: rows });
  const finish = (neighbors: Neighbors, recall: MeasuredRecall): ApproximateNeighbors => {
    const graph = withRecall(neighbors, recall, task, onEvent);
    onEvent?.({ type: 'work-end', task, done: rows, elapsedMs: performance.now() - started });
    return { ...graph, recall };
  };

  const width = options.width ?? Math.max(16, k + 6);
  const candidates = options.candidates ?? Math.min(60, Math.ceil(0.55 * width));
  const scanned = earlier ?? (rows <= exactRows ? undefined : await scanRows(reader, slices, signal));
  if (scanned === undefined || scanned.distinct.length <= Math.max(exactRows, 16 * width)) {
    const { workers } = options;
    const neighbors = await joinReader(reader, { k, metric, workers, signal }, 'data' in points);
    return finish(neighbors, { value: 1, sampledRows: rows });
  }

  const { distinct, squares, heads } = scanned;
  const workers = await workerCount(options.workers, distinct.length * reader.cols);
  const shape = { rows: distinct.length, cols: reader.cols, width, candidates, trees: options.trees ?? 12 };
  const place = descentMemory({ ...shape, workers: Math.max(1, workers) });
  const crew = await descentCrew(place, workers, options.seed ?? 0, signal);
  try {
    const unit = await quantiseRows(reader, scanned, place, crew.kernel, metric, slices);
    const { rounds = 30, recallSample = 1000, seed = 0 } = options;
    const order = await descend(place, crew, { metric, leafRows, rounds, fewFresh }, (round) => {
      onEvent?.({
        type: 'work-progress',
        task,
        done: Math.floor(rows * Math.min(0.9, 0.3 + 0.1 * round)),
        total: rows,
      });
    });
    const rowAt = order.map((position) => distinct[position]!);
    const blocks = rowBlocks(points, reader, squares, options.blockBytes ?? 2 ** 29);
    const ranked = await rankEntries(place, rowAt, k, rows, blocks, metric, slices);
    const ownDistance = distanceToCopies(metric, squares);
    const groups = { heads, next: scanned.next };
    const neighbors = await expandGroups(rows, k, { ...ranked, groups, ownDistance }, slices);
    const graph = { neighbors, reader, scanned, place, crew, rowAt, metric, unit };
    return finish(neighbors, await checkGraph(graph, recallSample, seed, slices));
  } finally {
    await crew[Symbol.asyncDispose]();
  }
}

/** @throws InvalidArgumentError for settings out of range. */
export function checkSettings(k: number, options: NnDescentSettings): void {
  checkMetric(options.metric ?? 'euclidean');
  for (const [name, value, least, most] of [
    ['trees', options.trees ?? 1, 1, 64],
    ['width', options.width ?? k, k, 65536],
    ['candidates', options.candidates ?? 1, 1, 60],
    ['rounds', options.rounds ?? 1, 1, 1000],
    ['blockBytes', options.blockBytes ?? 1, 1, Number.MAX_SAFE_INTEGER],
    ['recallSample', options.recallSample ?? 1, 1, 2 ** 31],
    ['workers', options.workers ?? 1, 1, 256],
  ] as const) {
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw new InvalidArgumentError(`${name} must be an integer from ${least} to ${most}, got ${value}`);
  }
  const { seed = 0 } = options;
  if (!Number.isSafeInteger(seed)) throw new InvalidArgumentError(`seed must be a safe integer, got ${seed}`);
}

async function workerCount(asked: number | undefined, numbers: number): Promise<number> {
  if (!hasSharedWorkers()) return 0;
  if (asked !== undefined) return asked;
  return numbers < workersPay ? 0 : Math.min(64, await availableWorkers());
}
