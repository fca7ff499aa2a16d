import { InvalidArgumentError, importPeer, type Metric, type NeighborIndex } from '@rarefy/core';
import type { CandidateEngine } from '../candidates/candidate-engine.js';
import { candidateIndex } from '../candidates/candidate-index.js';
import type { LibraryRows } from '../candidates/library-rows.js';
import { checkMetric } from '../exact/checks.js';
import { sampleRows } from '../recall/sample-rows.js';
import { parseFaissFactory } from './faiss-factory.js';
import { type Faiss, type FaissStore, faissMetrics } from './faiss-library.js';

export interface FaissIndexOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /** faiss' own description of the index: `Flat` (default), `HNSW32`, `IVF256,Flat`, `IVF256,PQ16`, `SQ8`, … */
  readonly factory?: string;
  /** The module `faiss-node`, or a function that gives it. */
  readonly lib?: Faiss | (() => Faiss | Promise<Faiss>);
}

/** Numbers of one call: converting and adding so many takes some tens of milliseconds. */
const numbersPerCall = 2 ** 15;

/**
 * An index of faiss. Its distances are ranked again by the canonical distance, so that they, and the order of ties, are those of
 * every other index; `Flat` asks faiss for more candidates until float32 rounding cannot hide a neighbour, and equals `exactIndex`.
 * The other kinds are approximate: a self-join comes with its recall, and warns below 0.95.
 *
 * faiss is built on the first search after an `add`, from parts of some tens of milliseconds, for faiss-node takes plain arrays and
 * computes on the calling thread. Training (IVF, PQ, SQ) is one call and blocks; with fewer rows than training needs, all rows are
 * compared canonically. faiss searches one list of an IVF and 16 rows of an HNSW or as many as it is asked for; faiss-node cannot change
 * that. Its threads are those of OMP_NUM_THREADS, and building HNSW on several is not deterministic.
 * @throws MissingDependencyError without faiss-node; InvalidArgumentError for an unknown metric or factory.
 */
export async function faissIndex(options: FaissIndexOptions = {}): Promise<NeighborIndex> {
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
      `faiss cannot make the index ${factory} for ${cols} columns: ${(cause as Error).message}`,
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
      if (!store.isTrained()) store.train(trainingNumbers(points, trainingRows));
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

/** Some rows of all, the same ones each time. */
function trainingNumbers(points: LibraryRows, count: number): number[] {
  const numbers: number[] = [];
  for (const row of sampleRows(points.rows, count, 0))
    for (const value of points.slice(row, row + 1)) numbers.push(value);
  return numbers;
}
