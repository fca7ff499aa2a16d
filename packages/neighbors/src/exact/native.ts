import { type CallOptions, importPeer, type Metric } from '@rarefy/core';

/** What is used of the package `@rarefy/neighbors-native`. */
export interface NativeNeighbors {
  /** Every row's k nearest other rows; data is row-major, rows x cols, and must not change meanwhile. */
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

/** @throws MissingDependencyError when the native package is absent. */
export function importNative(lib?: NativeNeighbors | (() => NativeNeighbors | Promise<NativeNeighbors>)) {
  return importPeer<NativeNeighbors>({
    name: '@rarefy/neighbors-native',
    range: '^0.0.0',
    lib,
    load: () => import('@rarefy/neighbors-native'),
  });
}
