import { InvalidArgumentError, importPeer, type Metric, type NeighborIndex } from '@rarefy/core';
import type { CandidateEngine } from '../candidates/candidate-engine.js';
import { candidateIndex, checkMetric } from '../candidates/candidate-index.js';
import type { Usearch, UsearchStore } from './usearch-library.js';

export interface HnswIndexOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** How usearch keeps the rows; default `bf16`, 2 bytes a column. Neighbours are ranked by float32 rows in any case. */
  readonly quantization?: 'f32' | 'bf16' | 'f16' | 'i8';
  /** Links a row and level; default 16. */
  readonly connectivity?: number;
  /** Rows looked at to place a row; default 128. */
  readonly expansionAdd?: number;
  /** Rows looked at a query, at least as many as candidates are asked for; default 64. */
  readonly expansionSearch?: number;
  /** Threads that build the graph and search it; default 1, which makes the same graph each time. 0: all cores. */
  readonly threads?: number;
  /** The module `usearch`, or a function that gives it. */
  readonly lib?: Usearch | (() => Usearch | Promise<Usearch>);
}

const numbersPerCall = 2 ** 14;

/**
 * A hierarchical navigable small world graph, by usearch: approximate neighbours of queries, rows added at any time. What it finds is
 * ranked by the canonical distance; a self-join comes with its recall, and warns below 0.95. The graph is built on the first search
 * after an `add`, in parts of some tens of milliseconds, on the calling thread and `threads` others.
 * Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", TPAMI 2018.
 * @throws MissingDependencyError without usearch; InvalidArgumentError for options out of range.
 */
export async function hnswIndex(options: HnswIndexOptions = {}): Promise<NeighborIndex> {
  const { metric = 'euclidean', quantization = 'bf16', threads = 1 } = options;
  const { connectivity = 16, expansionAdd = 128, expansionSearch = 64 } = options;
  checkMetric(metric);
  if (!['f32', 'bf16', 'f16', 'i8'].includes(quantization)) {
    throw new InvalidArgumentError(`quantization must be one of f32, bf16, f16, i8, got ${quantization}`);
  }
  for (const [name, value, least] of [
    ['connectivity', connectivity, 2],
    ['expansionAdd', expansionAdd, 1],
    ['expansionSearch', expansionSearch, 1],
    ['threads', threads, 0],
  ] as const) {
    if (!(Number.isInteger(value) && value >= least)) {
      throw new InvalidArgumentError(`${name} must be an integer ≥ ${least}, got ${value}`);
    }
  }
  const { Index } = await importPeer<Usearch>({
    name: 'usearch',
    range: '^2.26.2',
    lib: options.lib,
    load: () => import('usearch'),
  });
  const settings = `connectivity=${connectivity},expansionAdd=${expansionAdd},expansionSearch=${expansionSearch}`;
  return candidateIndex({
    metric,
    fingerprint: `hnsw-index:metric=${metric},quantization=${quantization},${settings}`,
    name: 'hnsw',
    exact: false,
    createEngine(dimensions) {
      const store = new Index({
        dimensions,
        metric: metric === 'euclidean' ? 'l2sq' : 'ip',
        quantization,
        connectivity,
        expansion_add: expansionAdd,
        expansion_search: expansionSearch,
        multi: false,
      });
      return usearchEngine(store, dimensions, threads);
    },
  });
}

function usearchEngine(store: UsearchStore, cols: number, threads: number): CandidateEngine {
  let size = 0;
  return {
    get size() {
      return size;
    },
    rowsPerAdd: Math.max(1, Math.floor(numbersPerCall / cols)),
    add(points, end) {
      const keys = BigUint64Array.from({ length: end - size }, (_, at) => BigInt(size + at));
      store.add(keys, points.slice(size, end), threads);
      size = end;
    },
    find(queries, rows, count) {
      const { keys, counts } = store.search(queries, count, threads);
      const ids = new Int32Array(rows * count).fill(-1);
      for (let row = 0; row < rows; row++) {
        const found = counts ? Number(counts[row]) : keys.length;
        for (let at = 0; at < found; at++) ids[row * count + at] = Number(keys[row * count + at]);
      }
      return { ids };
    },
    dispose() {},
  };
}
