import { type CallOptions, type MeasuredRecall, type Metric, type Neighbors, warn } from '@rarefy/core';

/** A graph whose recall is lower comes with a warning. */
export const lowRecall = 0.95;

/** The tolerance keeps ties and duplicates from blurring the recall. */
const tolerance = 1e-6;

/**
 * Whether a neighbor at `distance` counts as found: it is as near as the true k-th neighbor, within a tolerance of 1e-6 of that
 * distance (1e-6 itself for `cosine`).
 */
function isFound(distance: number, farthest: number, metric: Metric): boolean {
  return distance <= farthest + tolerance * (metric === 'cosine' ? 1 : Math.abs(farthest));
}

/** How many of the first k neighbors in a row's list count as found. @param farthest distance of the row's true k-th neighbor */
export function countFound(neighbors: Neighbors, row: number, k: number, farthest: number, metric: Metric): number {
  let found = 0;
  for (let cell = row * neighbors.k; cell < row * neighbors.k + k; cell++) {
    if (neighbors.ids[cell]! >= 0 && isFound(neighbors.distances[cell]!, farthest, metric)) found++;
  }
  return found;
}

/**
 * The graph with its recall, which is reported as a message, or as a warning with the code `low-recall` if it is low. Without
 * `onEvent`, `console.warn` prints the warning.
 */
export function withRecall(
  { rows, k, ids, distances }: Neighbors,
  recall: MeasuredRecall,
  task: string,
  onEvent: CallOptions['onEvent'],
): Neighbors & { readonly recall: MeasuredRecall } {
  const figure = `${(100 * recall.value).toFixed(1)} % of the true neighbors, measured on ${recall.sampledRows} rows`;
  if (recall.value < lowRecall) {
    const message = `the neighbor graph holds ${figure}; densities are less certain: search wider or use an exact index`;
    warn(onEvent, { task, code: 'low-recall', message });
  } else {
    onEvent?.({ type: 'work-message', task, message: `the neighbor graph holds ${figure}` });
  }
  return { rows, k, ids, distances, recall };
}
