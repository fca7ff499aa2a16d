import { type CallOptions, importPeer, type Metric, NotFiniteError, type TimeSlices } from '@rarefy/core';
import { contiguousRows, type RowReader } from '../rows/row-reader.js';
import { notFiniteRow } from '../rows/rows.js';
import { availableWorkers } from '../workers/threads.js';

/** The part of the package `@rarefy/neighbors-native` that is used. */
export interface NativeNeighbors {
  /** The k nearest other rows of every row. `data` is row-major, rows x cols, and must not change meanwhile. */
  selfJoin(
    data: Float32Array,
    rows: number,
    cols: number,
    options: CallOptions & { readonly k: number; readonly metric: Metric; readonly threads: number },
  ): Promise<{
    readonly ids: Int32Array;
    readonly distances: Float32Array;
    readonly fullScans: number;
    readonly distinctRows: number;
  }>;
}

/** @throws MissingDependencyError if the package is not installed. */
export function importNative(lib?: NativeNeighbors | (() => NativeNeighbors | Promise<NativeNeighbors>)) {
  return importPeer<NativeNeighbors>({
    name: '@rarefy/neighbors-native',
    range: '^0.0.0',
    lib,
    load: () => import('@rarefy/neighbors-native'),
  });
}

/** The self-join of the native engine. */
export async function nativeSelfJoin(
  native: NativeNeighbors,
  reader: RowReader,
  options: CallOptions & { readonly k: number; readonly metric: Metric; readonly workers?: number | undefined },
  slices: TimeSlices,
) {
  const { k, metric, workers = availableWorkers(), signal, onEvent } = options;
  const { rows, cols, name } = reader;
  const data = await contiguousRows(reader, slices);
  try {
    return await native.selfJoin(data, rows, cols, { k, metric, threads: workers, signal, onEvent });
  } catch (error) {
    if (!NotFiniteError.isInstance(error)) throw error;
    const row = Math.floor(data.findIndex((value) => !Number.isFinite(value)) / cols); // named as the caller names the rows
    throw notFiniteRow(data.subarray(row * cols, (row + 1) * cols), row, name);
  }
}
