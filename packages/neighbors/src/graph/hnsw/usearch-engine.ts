import type { Metric } from '@rarefy/core';
import type { CandidateEngine } from '../../engines/candidates/candidate-engine.js';
import { floatEncoder, int8Encoder } from './row-encoder.js';

/** The part of the module `usearch` that is used. */
export interface Usearch {
  readonly Index: new (config: {
    readonly dimensions: number;
    readonly metric: string;
    readonly quantization: string;
    readonly connectivity: number;
    readonly expansion_add: number;
    readonly expansion_search: number;
    readonly multi: boolean;
  }) => UsearchStore;
}

/** An index of usearch; every call is synchronous. */
export interface UsearchStore {
  add(keys: BigUint64Array, vectors: Float32Array | Int8Array, threads: number): void;
  /** `keys` is queries x k; only the first `counts[i]` of query i are set. There are no counts for a single query. */
  search(
    vectors: Float32Array | Int8Array,
    k: number,
    threads: number,
  ): { readonly keys: BigUint64Array; readonly counts?: BigUint64Array };
}

/** How a graph stores its rows. */
export type RowDtype = 'float32' | 'bfloat16' | 'float16' | 'int8';

export const quantizationOf: Readonly<Record<RowDtype, string>> = {
  float32: 'f32',
  bfloat16: 'bf16',
  float16: 'f16',
  int8: 'i8',
};

/** What distinguishes one graph from another. */
export interface GraphSettings {
  readonly metric: Metric;
  readonly dtype: RowDtype;
  readonly connectivity: number;
  readonly expansionAdd: number;
  readonly expansionSearch: number;
  readonly threads: number;
}

/**
 * Whether the graph compares rows by their differences rather than by inner products. For rows of equal length both give the same
 * order, and int8 rows keep differences better.
 */
export const isByDifference = ({ metric, dtype }: GraphSettings, areEquallyLong: boolean) =>
  metric === 'euclidean' || (dtype === 'int8' && (metric === 'cosine' || areEquallyLong));

const numbersPerCall = 2 ** 14;
/** Rows that the steps of int8 are derived from. */
export const learnedRows = 1024;

/** Rows per call, which then takes some tens of milliseconds. */
export const rowsPerCall = (cols: number) => Math.max(1, Math.floor(numbersPerCall / cols));

/** An empty graph. */
export function usearchStore(
  Index: Usearch['Index'],
  dimensions: number,
  settings: GraphSettings,
  byDifference: boolean,
): UsearchStore {
  const { dtype, connectivity, expansionAdd, expansionSearch } = settings;
  return new Index({
    dimensions,
    metric: byDifference ? 'l2sq' : 'ip',
    quantization: quantizationOf[dtype],
    connectivity,
    expansion_add: expansionAdd,
    expansion_search: expansionSearch,
    multi: false,
  });
}

/** Calls `found` with each candidate of each of `count` queries. A candidate is a key below 2^32. */
export function searchStore(
  store: UsearchStore,
  queries: Float32Array | Int8Array,
  count: number,
  wanted: number,
  threads: number,
  found: (query: number, rank: number, key: number) => void,
): void {
  const { keys, counts } = store.search(queries, wanted, threads);
  // The lower halves of the 64-bit keys: creating BigInts would take longer than the search.
  const words = new Uint32Array(keys.buffer, keys.byteOffset, 2 * keys.length);
  for (let query = 0; query < count; query++) {
    const matches = counts ? Number(counts[query]) : keys.length;
    for (let rank = 0; rank < matches; rank++) found(query, rank, words[2 * (query * wanted + rank)]!);
  }
}

export function usearchEngine(Index: Usearch['Index'], cols: number, settings: GraphSettings): CandidateEngine {
  const { threads, dtype } = settings;
  const byDifference = isByDifference(settings, false);
  const store = usearchStore(Index, cols, settings, byDifference);
  let encode = floatEncoder;
  let size = 0;
  return {
    get size() {
      return size;
    },
    rowsPerAdd: rowsPerCall(cols),
    train(points) {
      if (dtype !== 'int8') return;
      const rows = Math.min(points.rows, learnedRows);
      const sampled = Array.from({ length: rows }, (_, index) => Math.floor((index * points.rows) / rows));
      encode = int8Encoder(points.pick(sampled), cols, byDifference);
    },
    add(points, end) {
      const keys = BigUint64Array.from({ length: end - size }, (_, index) => BigInt(size + index));
      store.add(keys, encode(points.slice(size, end)), threads);
      size = end;
    },
    find(queries, rows, count) {
      const ids = new Int32Array(rows * count).fill(-1);
      searchStore(store, encode(queries), rows, count, threads, (query, rank, key) => {
        ids[query * count + rank] = key;
      });
      return { ids };
    },
    dispose() {},
  };
}
