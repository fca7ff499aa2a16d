import { checkOptions, InvalidArgumentError, importPeer, type Metric, type NeighborIndex } from '@rarefy/core';
import { checkMetric } from '../../distance/canonical-distance.js';
import { sampleRows } from '../../rows/sample-rows.js';
import type { CandidateEngine } from '../candidates/candidate-engine.js';
import { candidateIndex } from '../candidates/candidate-index.js';
import { parseFaissFactory } from './faiss-factory.js';

/** The part of the module `faiss-node` that is used. */
export interface Faiss {
  readonly Index: { fromFactory(dimensions: number, description: string, metric: number): FaissStore };
}

/** An index of faiss. It takes plain arrays only, and every call is synchronous. */
export interface FaissStore {
  ntotal(): number;
  isTrained(): boolean;
  train(vectors: number[]): void;
  add(vectors: number[]): void;
  /** queries x k, nearest first: squared lengths or inner products, and row numbers, -1 if missing. */
  search(queries: number[], k: number): { readonly distances: number[]; readonly labels: number[] };
}

/** Faiss's numbers for its metrics. */
const faissMetrics = { euclidean: 1, cosine: 0, dot: 0 } as const;

export interface FaissIndexOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** Faiss's own description of the index: `Flat` (default), `HNSW32`, `IVF256,Flat`, `IVF256,PQ16`, `SQ8`, … */
  readonly factory?: string;
  /** The module `faiss-node`, or a function that returns it. */
  readonly lib?: Faiss | (() => Faiss | Promise<Faiss>);
}

/** Numbers per call: converting and adding so many takes some tens of milliseconds. */
const numbersPerCall = 2 ** 15;

/**
 * An index of faiss. Its results are ranked again by the canonical distance, so that distances and the order of ties agree with
 * every other index. `Flat` asks faiss for more candidates until float32 rounding cannot hide a neighbor, and equals `exactIndex`.
 * The other kinds are approximate: a self-join comes with its recall, and warns below 0.95.
 *
 * The faiss index is built on the first search after an `add`, in parts of some tens of milliseconds, because faiss-node takes
 * plain arrays and computes on the calling thread. Training (IVF, PQ, SQ) is one blocking call; with fewer rows than training
 * needs, all rows are compared. Faiss searches one list of an IVF, and max(16, candidates) rows of an HNSW; faiss-node cannot
 * change that. OMP_NUM_THREADS sets the number of threads; with more than one, building an HNSW is not deterministic.
 * @throws MissingDependencyError without faiss-node; InvalidArgumentError for an unknown metric, factory or option.
 */
export async function faissIndex(options: FaissIndexOptions = {}): Promise<NeighborIndex> {
  checkOptions(options, ['metric', 'factory', 'lib'] satisfies (keyof FaissIndexOptions)[], 'faissIndex');
  const { metric = 'euclidean', factory = 'Flat' } = options;
  checkMetric(metric);
  const { exact, fewestRows, trainingRows } = parseFaissFactory(factory);
  const module = await importPeer<Faiss | { readonly default: Faiss }>({
    name: 'faiss-node',
    range: '^0.5.1',
    lib: options.lib,
    load: () => import('faiss-node'),
  });
  const faiss = 'default' in module ? module.default : module;
  return candidateIndex({
    metric,
    fingerprint: `faiss-index:metric=${metric},factory=${factory}`,
    name: `faiss ${factory}`,
    exact,
    fewestRows,
    createEngine: (cols) => faissEngine(createStore(faiss, cols, factory, metric), cols, trainingRows, metric),
  });
}

function createStore(faiss: Faiss, cols: number, factory: string, metric: Metric): FaissStore {
  try {
    return faiss.Index.fromFactory(cols, factory, faissMetrics[metric]);
  } catch (cause) {
    throw new InvalidArgumentError(
      `faiss cannot create the index ${factory} for ${cols} columns: ${(cause as Error).message}`,
    );
  }
}

function faissEngine(store: FaissStore, cols: number, trainingRows: number, metric: Metric): CandidateEngine {
  let size = 0;
  return {
    get size() {
      return size;
    },
    rowsPerAdd: Math.max(1, Math.floor(numbersPerCall / cols)),
    train(points) {
      if (store.isTrained()) return;
      store.train(Array.from(points.pick(sampleRows(points.rows, trainingRows, 0))));
    },
    add(points, end) {
      store.add(Array.from(points.slice(size, end)));
      size = end;
    },
    find(queries, _rows, count) {
      const { distances, labels } = store.search(Array.from(queries), count);
      return { ids: labels, values: metric === 'euclidean' ? distances : distances.map((product) => -product) };
    },
    dispose() {},
  };
}
