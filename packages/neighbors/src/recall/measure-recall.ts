import {
  callOptionNames,
  checkOptions,
  type Matrix,
  type MeasuredRecall,
  type Metric,
  type Neighbors,
  timeSlices,
} from '@rarefy/core';
import { checkMetric } from '../distance/canonical-distance.js';
import { readerOf } from '../rows/row-reader.js';
import { appendRows, noRows } from '../rows/rows.js';
import { type RecallOptions, recallOfRows } from './recall-of-rows.js';

export { lowRecall } from './report-recall.js';

export interface MeasureRecallOptions extends Omit<RecallOptions, 'metric'> {
  /** Metric of the graph's distances; default `euclidean`. */
  readonly metric?: Metric;
}

/**
 * The share of the true neighbors that a graph holds, measured by exact search for sampled rows. A neighbor counts as found if its
 * distance is within 1e-6 of the true k-th distance (relative; absolute for `cosine`), so that ties and duplicates do not blur the
 * figure. A missing neighbor does not count. With 1,000 rows the standard error is at most 0.016: a row's misses may be correlated.
 *
 * Compares each sampled row with every row: O(sample x rows x columns). Deterministic for a seed.
 * @param points the rows of the graph
 * @throws InvalidArgumentError if an option is unknown or out of range; ShapeError if the graph has a different number of rows.
 */
export async function measureRecall(
  points: Matrix,
  neighbors: Neighbors,
  allOptions: MeasureRecallOptions = {},
): Promise<MeasuredRecall> {
  checkOptions(allOptions, ['metric', 'sample', 'seed', ...callOptionNames], 'measureRecall');
  const { metric = 'euclidean', ...options } = allOptions;
  checkMetric(metric);
  const rows = await appendRows(noRows, readerOf(points, 'points', options), timeSlices(options.signal));
  return recallOfRows(rows, neighbors, { metric, ...options });
}
