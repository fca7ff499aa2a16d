import {
  checkInteger,
  checkOptions,
  InvalidArgumentError,
  importPeer,
  type Metric,
  type NeighborIndex,
} from '@rarefy/core';
import { checkMetric } from '../../distance/canonical-distance.js';
import { candidateIndex } from '../../engines/candidates/candidate-index.js';
import { readerOf } from '../../rows/row-reader.js';
import { joinByGraph } from './join-by-graph.js';
import { quantizationOf, type RowDtype, type Usearch, usearchEngine } from './usearch-engine.js';

export type { Usearch, UsearchStore } from './usearch-engine.js';

export interface HnswIndexOptions {
  /** Default `euclidean`. */
  readonly metric?: Metric;
  /**
   * How usearch stores the rows; default `bfloat16`, 2 bytes per column. Neighbors are always ranked by float32 rows. `int8` takes
   * 1 byte per column, in equal steps: 127 of them to the largest number of about 1,024 sampled rows, or to 3 times the largest
   * number of the 90th-percentile row if that is less. Each column's median is subtracted first, except for `dot`, unless rows
   * that are read in blocks have equal lengths. `int8` is good if rows have about the same length; see the recall.
   */
  readonly dtype?: RowDtype;
  /** Links per row and level; default 16. */
  readonly connectivity?: number;
  /** Rows visited to insert a row; default 128. */
  readonly expansionAdd?: number;
  /** Rows visited per query, at least the number of candidates; default 64. */
  readonly expansionSearch?: number;
  /** Threads that build and search the graph; default 1, with which the graph is deterministic. 0: all cores. */
  readonly threads?: number;
  /** Bytes of rows and candidates that `joinRows` has in memory at a time; default 512 MiB. Does not change the result. */
  readonly blockBytes?: number;
  /** The module `usearch`, or a function that returns it. */
  readonly lib?: Usearch | (() => Usearch | Promise<Usearch>);
}

const optionNames = [
  'metric',
  'dtype',
  'connectivity',
  'expansionAdd',
  'expansionSearch',
  'threads',
  'blockBytes',
  'lib',
] satisfies (keyof HnswIndexOptions)[];

/**
 * A hierarchical navigable small world graph, by usearch: approximate neighbors of queries; rows may be added at any time. Its
 * results are ranked by the canonical distance. A self-join comes with its recall, and warns below 0.95. The graph is built on the
 * first search after an `add`, in parts of some tens of milliseconds, on the calling thread and `threads` others.
 *
 * `joinRows` holds no float32 copy of the rows. The graph stores them as `dtype` says, and 2 k + 32 candidates per row are ranked
 * by rows that are read again, in order. Equal rows are joined as one; up to 1,024 distinct rows are joined exactly. With one
 * thread the result is deterministic.
 * Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", TPAMI 2018.
 * @throws MissingDependencyError without usearch; InvalidArgumentError if an option is unknown or out of range.
 */
export async function hnswIndex(options: HnswIndexOptions = {}): Promise<NeighborIndex> {
  checkOptions(options, optionNames, 'hnswIndex');
  const { metric = 'euclidean', dtype = 'bfloat16', threads = 1, blockBytes = 2 ** 29 } = options;
  const { connectivity = 16, expansionAdd = 128, expansionSearch = 64 } = options;
  checkMetric(metric);
  if (!Object.hasOwn(quantizationOf, dtype)) {
    throw new InvalidArgumentError(`dtype must be one of ${Object.keys(quantizationOf).join(', ')}, got ${dtype}`);
  }
  checkInteger('connectivity', connectivity, 2);
  checkInteger('expansionAdd', expansionAdd, 1);
  checkInteger('expansionSearch', expansionSearch, 1);
  checkInteger('threads', threads, 0);
  checkInteger('blockBytes', blockBytes, 1);
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
    joinRows: (rows, call) => joinByGraph(Index, readerOf(rows, 'points', call), { ...settings, ...call, blockBytes }),
  });
}
