import { type CallOptions, type Metric, NotFiniteError } from '@rarefy/core';
import { availableWorkers } from '../kernels/start-worker.js';
import type { ExactNeighbors } from './exact-neighbors.js';
import type { RowReader } from './join/row-reader.js';
import type { NativeNeighbors } from './native.js';
import { firstNotFinite } from './rows.js';
import type { TimeSlices } from './time-slices.js';

/** The self-join of the native engine, which wants all rows in one array without columns of zeros. */
export async function nativeJoin(
  native: NativeNeighbors,
  reader: RowReader,
  options: CallOptions & { readonly k: number; readonly metric: Metric; readonly workers?: number | undefined },
  slices: TimeSlices,
): Promise<ExactNeighbors> {
  const { k, metric, signal, onEvent } = options;
  const { rows, cols, name } = reader;
  let data = reader.array;
  if (!data) {
    data = new Float32Array(rows * cols);
    await reader.copy(0, rows, data, cols, slices);
  }
  const threads = options.workers ?? availableWorkers();
  try {
    const found = await native.selfJoin(data, rows, cols, { k, metric, threads, signal, onEvent });
    return { rows, k, engine: 'native', ...found };
  } catch (error) {
    if (!NotFiniteError.isInstance(error)) throw error;
    const row = Math.floor(data.findIndex((value) => !Number.isFinite(value)) / cols);
    throw firstNotFinite(data.subarray(row * cols, (row + 1) * cols), row, name);
  }
}
