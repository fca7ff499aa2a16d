import { InvalidArgumentError, importPeer, type Metric, type NeighborIndex } from '@rarefy/core';
import { candidateIndex } from '../candidates/candidate-index.js';
import { checkMetric } from '../exact/checks.js';
import { readerOf } from '../exact/join/row-reader.js';
import { graphJoin } from './join-rows.js';
import { quantizationOf, type RowDtype, usearchEngine } from './usearch-engine.js';
import type { Usearch } from './usearch-library.js';

export interface HnswIndexOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /**
   * How usearch keeps the rows; default `bfloat16`, 2 bytes a column. Neighbours are ranked by float32 rows in any case. `int8`, 1 byte
   * a column: minus each column's median (at length 1 for `cosine`; nothing is taken off for `dot`, unless rows that are read in blocks
   * are equally long) in equal steps, 127 of them to the largest number of some 1,024 rows, or to 3 times the largest number of nine
   * rows in ten where that is less. Good where rows are about equally long; recall tells.
   */
  readonly dtype?: RowDtype;
  /** Links a row and level; default 16. */
  readonly connectivity?: number;
  /** Rows looked at to place a row; default 128. */
  readonly expansionAdd?: number;
  /** Rows looked at a query, at least as many as candidates are asked for; default 64. */
  readonly expansionSearch?: number;
  /** Threads that build the graph and search it; default 1, which makes the same graph each time. 0: all cores. */
  readonly threads?: number;
  /** Bytes of rows and candidates that `joinRows` has in memory at a time; default 512 MiB. Changes no number. */
  readonly blockBytes?: number;
  /** The module `usearch`, or a function that gives it. */
  readonly lib?: Usearch | (() => Usearch | Promise<Usearch>);
}

/**
 * A hierarchical navigable small world graph, by usearch: approximate neighbours of queries, rows added at any time. What it finds is
 * ranked by the canonical distance; a self-join comes with its recall, and warns below 0.95. The graph is built on the first search
 * after an `add`, in parts of some tens of milliseconds, on the calling thread and `threads` others.
 *
 * `joinRows` holds no float32 copy of the rows: the graph keeps them as `dtype` says, and 2 k + 32 candidates a row are ranked by rows
 * that are read again, in order of position. It joins equal rows as one, and up to 1,024 different rows exactly. With one thread the
 * result is the same each time.
 * Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", TPAMI 2018.
 * @throws MissingDependencyError without usearch; InvalidArgumentError for options out of range.
 */
export async function hnswIndex(options: HnswIndexOptions = {}): Promise<NeighborIndex> {
  const { metric = 'euclidean', dtype = 'bfloat16', threads = 1, blockBytes = 2 ** 29 } = options;
  const { connectivity = 16, expansionAdd = 128, expansionSearch = 64 } = options;
  checkMetric(metric);
  if (!Object.hasOwn(quantizationOf, dtype)) {
    throw new InvalidArgumentError(`dtype must be one of ${Object.keys(quantizationOf).join(', ')}, got ${dtype}`);
  }
  for (const [name, value, least] of [
    ['connectivity', connectivity, 2],
    ['expansionAdd', expansionAdd, 1],
    ['expansionSearch', expansionSearch, 1],
    ['threads', threads, 0],
    ['blockBytes', blockBytes, 1],
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
  const settings = { metric, dtype, connectivity, expansionAdd, expansionSearch, threads };
  const shape = `connectivity=${connectivity},expansionAdd=${expansionAdd},expansionSearch=${expansionSearch}`;
  return candidateIndex({
    metric,
    fingerprint: `hnsw-index:metric=${metric},dtype=${dtype},${shape}`,
    name: 'hnsw',
    exact: false,
    createEngine: (cols) => usearchEngine(Index, cols, settings),
    joinSource: (points, call) =>
      graphJoin(Index, readerOf(points, 'points', call), { ...settings, ...call, blockBytes }),
  });
}
