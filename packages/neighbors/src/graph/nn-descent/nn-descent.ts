import { callOptionNames, checkOptions, type Matrix, type NeighborIndex, type RowSource } from '@rarefy/core';
import { exactSearch } from '../../exact/join-rows.js';
import { checkCount } from '../../rows/checks.js';
import { readerOf, rowsReader } from '../../rows/row-reader.js';
import { storedIndex } from '../../rows/stored-index.js';
import {
  type ApproximateNeighbors,
  checkSettings,
  descentFingerprint,
  descentGraph,
  descentOptionNames,
  type NnDescentOptions,
  type NnDescentSettings,
} from './descent-graph.js';

export type { ApproximateNeighbors, NnDescentOptions } from './descent-graph.js';
export type NnDescentIndexOptions = NnDescentSettings;

/**
 * The k nearest other rows of nearly every row, by NN-descent: neighbors of neighbors are compared until hardly any is new. Time
 * grows about as rows^1.1, that of exact search as rows². The graph comes with its recall, measured on sampled rows against exact
 * search, and with a warning (`low-recall`) below 0.95. Equal rows are searched as one. If there are few rows, or not many more
 * than k, all pairs are compared.
 *
 * The search runs on int16 rows in WebAssembly, in worker threads. The distances of its results are canonical, and neighbors are
 * ordered by (distance, id). A seed gives the same bytes for any number of workers on every machine. For `dot`, results are good
 * only if rows have about the same length; see the recall. Differences far below 1/10,000 of the extent of the data are not seen.
 *
 * Memory besides the rows: per row, about 2 bytes per column and 30 + 8 width + 16 candidates bytes (1.1 KB for 384 columns at
 * k = 10), at most 4 GiB in all, and 70 + 16 k bytes for the result. Rows of a `RowSource` are read in blocks, three times or more;
 * they must not change until the promise settles.
 * Source: Dong, Moses and Li, "Efficient k-nearest neighbor graph construction for generic similarity measures", WWW 2011.
 * @throws ShapeError if `points` is not a valid matrix; NotFiniteError naming the first row with NaN or infinity;
 * InvalidArgumentError if an option is unknown or out of range; RarefyError if there is not enough memory or a worker fails.
 */
export async function nnDescent(points: Matrix | RowSource, options: NnDescentOptions): Promise<ApproximateNeighbors> {
  checkOptions(options, ['k', ...descentOptionNames, ...callOptionNames], 'nnDescent');
  const reader = readerOf(points, 'points', options);
  checkCount(options.k, reader.rows);
  return descentGraph(reader, undefined, options);
}

/**
 * An index whose self-join is {@link nnDescent}: approximate, with its measured recall. `search` compares queries with all rows,
 * exactly. Vectors are copied.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function nnDescentIndex(settings: NnDescentIndexOptions = {}): NeighborIndex {
  checkOptions(settings, descentOptionNames, 'nnDescentIndex');
  checkSettings(1, settings);
  const { metric = 'euclidean', workers } = settings;
  return storedIndex({
    metric,
    fingerprint: `nn-descent-index:metric=${metric},${descentFingerprint(settings)}`,
    exact: false,
    search: exactSearch(metric, { workers }),
    selfJoin: (stored, call) => descentGraph(rowsReader(stored, 'vectors'), undefined, { ...settings, ...call }),
    joinRows: (rows, call) => nnDescent(rows, { ...settings, ...call }),
  });
}
