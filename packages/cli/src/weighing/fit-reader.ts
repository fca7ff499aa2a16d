import type { CallOptions, DensityEstimator, RowSource } from '@rarefy/core';

/** Rows of at most this many bytes are read into memory whole. */
const memoryBytes = 2 ** 30;

/**
 * Density of the rows of an open file, which are read in blocks when they are many and the estimator takes blocks.
 * @param isBlockwise whether few rows are read in blocks, too
 */
export async function fitReader(
  reader: RowSource,
  estimator: DensityEstimator,
  options: CallOptions,
  isBlockwise = false,
): Promise<Float64Array> {
  const { rows, cols } = reader;
  if (estimator.fitRows && (isBlockwise || 4 * rows * cols > memoryBytes)) return estimator.fitRows(reader, options);
  return estimator.fit(await reader.read(0, rows, options), options);
}
