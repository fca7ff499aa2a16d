import type { CallOptions, MeasuredRecall, Neighbors } from '@rarefy/core';

/** Below this share of true neighbours a graph comes with a warning. */
export const lowRecall = 0.95;

/** The graph with its recall, which is told: as a message, or as a warning with code `low-recall` when it is low. */
export function withRecall(
  { rows, k, ids, distances }: Neighbors,
  recall: MeasuredRecall,
  task: string,
  onEvent: CallOptions['onEvent'],
): Neighbors {
  const figure = `${(100 * recall.value).toFixed(1)} % of the true neighbours, measured on ${recall.sampledRows} rows`;
  if (recall.value < lowRecall) {
    const message = `the neighbour graph holds ${figure}; densities are less certain: search wider or use an exact index`;
    onEvent?.({ type: 'work-warning', task, code: 'low-recall', message });
  } else {
    onEvent?.({ type: 'work-message', task, message: `the neighbour graph holds ${figure}` });
  }
  return { rows, k, ids, distances, recall };
}
