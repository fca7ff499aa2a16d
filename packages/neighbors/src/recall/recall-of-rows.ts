import {
  type CallOptions,
  InvalidArgumentError,
  type MeasuredRecall,
  type Metric,
  type Neighbors,
  ShapeError,
} from '@rarefy/core';
import { searchRows } from '../exact/all-pairs.js';
import { canonicalDistance } from '../exact/canonical-distance.js';
import { chooseEngine, defaultMemoryBytes } from '../exact/engine.js';
import { type RowReader, rowsReader } from '../exact/join/row-reader.js';
import { wasmSearch } from '../exact/join/wasm-join.js';
import { appendReader, noRows, type Rows } from '../exact/rows.js';
import { timeSlices } from '../exact/time-slices.js';
import { sampleRows } from './sample-rows.js';

export interface RecallOptions extends CallOptions {
  readonly metric: Metric;
  readonly sample?: number;
  readonly seed?: number;
}

/** As {@link measureRecall}, of rows that are prepared for the distance. */
export async function recallOfRows(
  points: Rows,
  neighbors: Neighbors,
  { metric, sample = 1000, seed = 0, ...call }: RecallOptions,
): Promise<MeasuredRecall> {
  if (!(Number.isInteger(sample) && sample >= 1)) {
    throw new InvalidArgumentError(`sample must be an integer ≥ 1, got ${sample}`);
  }
  if (neighbors.rows !== points.rows) {
    throw new ShapeError(
      `the graph has ${neighbors.rows} rows and there are ${points.rows} points; give the points of the graph`,
    );
  }
  const rows = sampleRows(points.rows, sample, seed);
  const k = Math.min(neighbors.k, points.rows - 1);
  if (rows.length === 0 || k < 1) return { value: 1, sampledRows: rows.length };
  const { stride, cols } = points;
  const data = new Float32Array(rows.length * stride);
  rows.forEach((row, at) => {
    data.set(points.data.subarray(row * stride, (row + 1) * stride), at * stride);
  });
  const squaredNorms = Float64Array.from(rows, (row) => points.squaredNorms[row]!);
  const queries = { data, squaredNorms, rows: rows.length, cols, stride };
  return recallOfQueries(queries, rows, rowsReader(points, 'points'), neighbors, {
    metric,
    memoryBytes: defaultMemoryBytes,
    ...call,
  });
}

/** Recall of the lists of some rows, which are compared with rows that a reader reads. */
export async function recallOfQueries(
  queries: Rows,
  rows: Int32Array,
  points: RowReader,
  neighbors: Neighbors,
  { metric, memoryBytes, signal }: CallOptions & { readonly metric: Metric; readonly memoryBytes: number },
): Promise<MeasuredRecall> {
  const { cols } = points;
  const k = Math.min(neighbors.k, points.rows - 1);
  const chosen = await chooseEngine({}, rows.length * points.rows * cols, false);
  const truth =
    chosen.name === 'wasm'
      ? await wasmSearch(rowsReader(queries, 'points'), points, rows, { k, metric, memoryBytes, signal }).then(
          ({ neighbors }) => neighbors,
        )
      : await searchRows(
          queries,
          await appendReader(noRows, points, timeSlices(signal)),
          k,
          canonicalDistance[metric],
          rows,
          { signal },
        );
  let found = 0;
  rows.forEach((row, at) => {
    const farthest = truth.distances[(at + 1) * k - 1]!;
    const limit = farthest + 1e-6 * (metric === 'cosine' ? 1 : Math.abs(farthest));
    for (let rank = 0; rank < k; rank++) {
      const cell = row * neighbors.k + rank;
      if (neighbors.ids[cell]! >= 0 && neighbors.distances[cell]! <= limit) found++;
    }
  });
  return { value: found / (rows.length * k), sampledRows: rows.length };
}
