import {
  type CallOptions,
  checkInteger,
  checkSeed,
  type MeasuredRecall,
  type Metric,
  type Neighbors,
  startProgress,
  timeSlices,
} from '@rarefy/core';
import { descentMemory, mostWorkers } from '@rarefy/neighbors-wasm';
import {
  canonicalDistance,
  checkMetric,
  distanceToEqualRow,
  paddedColumns,
} from '../../distance/canonical-distance.js';
import { joinRows } from '../../exact/join-rows.js';
import { withRecall } from '../../recall/report-recall.js';
import { expandSelfJoin } from '../../rows/expand-groups.js';
import type { RowReader } from '../../rows/row-reader.js';
import { startCrew } from '../../workers/crew.js';
import { workerCount } from '../../workers/threads.js';
import { type ScannedRows, scanRows } from '../scan-rows.js';
import { checkGraph } from './check-graph.js';
import { descend } from './descend.js';
import { quantizeRows } from './quantize-rows.js';
import { rankEntries } from './rank-entries.js';

export interface NnDescentSettings {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** Determines the graph; a safe integer, default 0. */
  readonly seed?: number;
  /** Projection trees that the search starts from; default 12. */
  readonly trees?: number;
  /** Neighbors per row during the search, at least k; default: k + 6, but at least 16. More find more and cost more. */
  readonly width?: number;
  /** Candidates per row and round, fresh and old separately, 1 to 60; default: 0.55 `width`. */
  readonly candidates?: number;
  /** Most rounds; default 30. The search ends earlier if at most 0.3 % of the neighbors are new. */
  readonly rounds?: number;
  /** Rows on which recall is measured; default 1,000. */
  readonly recallSample?: number;
  /** Bytes of rows of a `RowSource` in memory at a time while neighbors are ranked; default 512 MiB. Does not change the result. */
  readonly blockBytes?: number;
  /**
   * Worker threads, 1 to 256; default: as many as the machine runs at the same time, and none for small inputs. Does not change the
   * result.
   */
  readonly workers?: number;
}

export const descentOptionNames = [
  'metric',
  'seed',
  'trees',
  'width',
  'candidates',
  'rounds',
  'recallSample',
  'blockBytes',
  'workers',
] satisfies (keyof NnDescentSettings)[];

export interface NnDescentOptions extends CallOptions, NnDescentSettings {
  /** Neighbors per row; an integer ≥ 1. */
  readonly k: number;
}

/** An approximate graph with its measured recall. */
export interface ApproximateNeighbors extends Neighbors {
  readonly recall: MeasuredRecall;
}

/** Up to this many distinct rows, all pairs are compared. */
const exactRows = 1024;
/** Numbers from which on starting workers pays off: about 50 ms of one core. */
const largeNumbers = 2 ** 21;

/** The graph of rows in any form. @param earlier the scan of the rows, if there was one */
export async function descentGraph(
  reader: RowReader,
  earlier: ScannedRows | undefined,
  options: NnDescentOptions,
): Promise<ApproximateNeighbors> {
  const { k, metric = 'euclidean', signal, onEvent } = options;
  checkSettings(k, options);
  const { rows, cols } = reader;
  const task = 'nn-descent';
  const slices = timeSlices(signal);
  const progress = startProgress(task, rows, onEvent);
  const finish = (neighbors: Neighbors, recall: MeasuredRecall): ApproximateNeighbors => {
    const graph = withRecall(neighbors, recall, task, onEvent);
    progress.end();
    return graph;
  };

  const { trees = 12, width = Math.max(16, k + 6), rounds = 30, recallSample = 1000, seed = 0 } = options;
  const { candidates = Math.min(60, Math.ceil(0.55 * width)), blockBytes = 2 ** 29 } = options;
  const scanned = earlier ?? (rows <= exactRows ? undefined : await scanRows(reader, slices));
  if (scanned === undefined || scanned.distinct.length <= Math.max(exactRows, 16 * width)) {
    const neighbors = await joinRows(reader, { k, metric, workers: options.workers, signal });
    return finish(neighbors, { value: 1, sampledRows: rows });
  }

  const { distinct, squares } = scanned;
  const workers = workerCount(options.workers, distinct.length * cols >= largeNumbers);
  const size = { rows: distinct.length, cols, stride: paddedColumns(cols) };
  const shape = { ...size, width, candidates, trees, workers: Math.max(1, workers), seed };
  const layout = descentMemory(shape);
  const { memory, parametersAt, wordsAt } = layout;
  const crew = await startCrew({ name: 'nn-descent', memory, parametersAt, wordsAt, workers, signal });
  try {
    const unit = await quantizeRows(reader, scanned, layout, crew, metric, slices);
    const order = await descend(layout, crew, rounds, (round) => {
      progress.report(Math.floor(rows * Math.min(0.9, 0.3 + 0.1 * round)));
    });
    const rowAt = order.map((index) => distinct[index]!);
    const ranked = { reader, squares, distance: canonicalDistance[metric] };
    const nearest = await rankEntries(layout, rowAt, ranked, k, blockBytes, slices);
    const ownDistance = (row: number) => distanceToEqualRow(metric, squares[row]!);
    const neighbors = await expandSelfJoin(nearest, k, scanned, ownDistance, slices);
    const graph = { neighbors, reader, scanned, layout, crew, rowAt, metric, unit };
    return finish(neighbors, await checkGraph(graph, recallSample, seed, slices));
  } finally {
    await crew[Symbol.asyncDispose]();
  }
}

/** @throws InvalidArgumentError if a setting is out of range. */
export function checkSettings(k: number, settings: NnDescentSettings): void {
  const { metric = 'euclidean', seed = 0, trees = 1, width = k, candidates = 1, rounds = 1 } = settings;
  const { blockBytes = 1, recallSample = 1, workers = 1 } = settings;
  checkMetric(metric);
  checkSeed(seed);
  checkInteger('trees', trees, 1, 64);
  checkInteger('width', width, k, 65536);
  checkInteger('candidates', candidates, 1, 60);
  checkInteger('rounds', rounds, 1, 1000);
  checkInteger('blockBytes', blockBytes, 1);
  checkInteger('recallSample', recallSample, 1, 2 ** 31);
  checkInteger('workers', workers, 1, mostWorkers);
}

/** The settings that change the result. */
export function descentFingerprint(settings: NnDescentSettings): string {
  const { seed = 0, trees = 12, width = 'auto', candidates = 'auto', rounds = 30 } = settings;
  return `seed=${seed},trees=${trees},width=${width},candidates=${candidates},rounds=${rounds}`;
}
