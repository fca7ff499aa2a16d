import type { Metric } from '@rarefy/core';
import type { CandidateEngine } from '../candidates/candidate-engine.js';
import type { LibraryRows } from '../candidates/library-rows.js';
import { floatEncoder, int8Encoder } from './row-encoder.js';
import type { Usearch, UsearchStore } from './usearch-library.js';

/** How a graph keeps its rows. */
export type RowDtype = 'float32' | 'bfloat16' | 'float16' | 'int8';

export const quantizationOf: Readonly<Record<RowDtype, string>> = {
  float32: 'f32',
  bfloat16: 'bf16',
  float16: 'f16',
  int8: 'i8',
};

/** What makes one graph differ from another. */
export interface GraphSettings {
  readonly metric: Metric;
  readonly dtype: RowDtype;
  readonly connectivity: number;
  readonly expansionAdd: number;
  readonly expansionSearch: number;
  readonly threads: number;
}

/** Whether the graph compares rows by their differences, and not by inner products: of rows of one length both say the same. */
export const isByDifference = ({ metric, dtype }: GraphSettings, areEquallyLong: boolean) =>
  metric === 'euclidean' || (dtype === 'int8' && (metric === 'cosine' || areEquallyLong));

const numbersPerCall = 2 ** 14;
/** Rows that the steps of integers are learned from. */
export const learnedRows = 1024;

/** Rows of one call, which then takes some tens of milliseconds. */
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

/** Calls `found` with each candidate of each of `count` queries; a candidate is a key, below 2^32. */
export function searchStore(
  store: UsearchStore,
  queries: Float32Array | Int8Array,
  count: number,
  wanted: number,
  threads: number,
  found: (query: number, rank: number, key: number) => void,
): void {
  const { keys, counts } = store.search(queries, wanted, threads);
  // The lower halves of 64 bits: a BigInt each would take longer than the search.
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
      if (dtype === 'int8') encode = int8Encoder(spreadRows(points), cols, byDifference);
    },
    add(points, end) {
      const keys = BigUint64Array.from({ length: end - size }, (_, at) => BigInt(size + at));
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

function spreadRows(points: LibraryRows): Float32Array {
  const rows = Math.min(points.rows, learnedRows);
  const sample = new Float32Array(rows * points.cols);
  for (let at = 0; at < rows; at++) {
    const row = Math.floor((at * points.rows) / rows);
    sample.set(points.slice(row, row + 1), at * points.cols);
  }
  return sample;
}
