import {
  type CallOptions,
  checkInteger,
  type MeasuredRecall,
  type Metric,
  type Neighbors,
  ShapeError,
  timeSlices,
} from '@rarefy/core';
import { canonicalDistance, type Rows } from '../distance/canonical-distance.js';
import { searchRows } from '../exact/all-pairs.js';
import { chooseEngine, defaultMemoryBytes } from '../exact/engine.js';
import { wasmSearch } from '../exact/join/wasm-join.js';
import { type RowReader, rowsReader } from '../rows/row-reader.js';
import { appendRows, gatherRows, noRows } from '../rows/rows.js';
import { sampleRows } from '../rows/sample-rows.js';
import { countFound } from './report-recall.js';

export interface RecallOptions extends CallOptions {
  readonly metric: Metric;
  /** Rows to compare with exact search; default 1,000. All rows if there are not more. */
  readonly sample?: number;
  /** Chooses the rows; default 0. */
  readonly seed?: number;
}

/** The recall of a graph, measured on sampled rows. */
export async function recallOfRows(
  points: Rows,
  neighbors: Neighbors,
  { metric, sample = 1000, seed = 0, ...call }: RecallOptions,
): Promise<MeasuredRecall> {
  checkInteger('sample', sample, 1);
  if (neighbors.rows !== points.rows) {
    throw new ShapeError(
      `the graph has ${neighbors.rows} rows and there are ${points.rows} points; give the points of the graph`,
    );
  }
  const sampled = sampleRows(points.rows, sample, seed);
  const reader = rowsReader(points, 'points');
  const options = { metric, memoryBytes: defaultMemoryBytes, ...call };
  return recallOfSample(reader, points.squaredNorms, sampled, neighbors, options);
}

/** The recall of the lists of the rows `sampled`. @param squares x · x of every row */
export async function recallOfSample(
  points: RowReader,
  squares: Float64Array,
  sampled: Int32Array,
  neighbors: Neighbors,
  options: CallOptions & { readonly metric: Metric; readonly memoryBytes: number },
): Promise<MeasuredRecall> {
  const { metric, memoryBytes, signal } = options;
  const k = Math.min(neighbors.k, points.rows - 1);
  if (sampled.length === 0 || k < 1) return { value: 1, sampledRows: sampled.length };
  const queries = await gatherRows(points, sampled, squares, timeSlices(signal));
  const { distances } = await exactLists(queries, sampled, points, { k, metric, memoryBytes, signal });
  let found = 0;
  sampled.forEach((row, index) => {
    found += countFound(neighbors, row, k, distances[(index + 1) * k - 1]!, metric);
  });
  return { value: found / (sampled.length * k), sampledRows: sampled.length };
}

/** The true neighbors of the sampled rows. */
async function exactLists(
  queries: Rows,
  sampled: Int32Array,
  points: RowReader,
  options: CallOptions & { readonly k: number; readonly metric: Metric; readonly memoryBytes: number },
): Promise<Neighbors> {
  const { k, metric, signal } = options;
  const chosen = await chooseEngine({}, sampled.length * points.rows * points.cols, false);
  if (chosen.name === 'wasm')
    return (await wasmSearch(rowsReader(queries, 'points'), points, sampled, options)).neighbors;
  const rows = await appendRows(noRows, points, timeSlices(signal));
  return searchRows(queries, rows, k, canonicalDistance[metric], sampled, { signal });
}
