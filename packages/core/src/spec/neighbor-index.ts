import type { CallOptions, Component } from './component.js';
import type { Matrix, RowSource } from './matrix.js';

/**
 * Distance between two rows; smaller is nearer for every metric. `euclidean`: length of the difference. `cosine`: 1 - cosine; a
 * zero vector has distance 1 to every row. `dot`: the negative inner product.
 */
export type Metric = 'euclidean' | 'cosine' | 'dot';

/** Recall of an approximate neighbor graph, measured against exact search on sampled rows. */
export interface MeasuredRecall {
  /**
   * Share of the true k nearest neighbors that were found, in [0, 1]. A neighbor counts as found if its distance exceeds the true
   * k-th distance by no more than a relative 1e-6.
   */
  readonly value: number;
  readonly sampledRows: number;
}

/** Always rows x k, row-major, each row ordered by (distance, id). A missing neighbor has id -1 and distance +Infinity. */
export interface Neighbors {
  readonly rows: number;
  readonly k: number;
  readonly ids: Int32Array;
  readonly distances: Float32Array;
  /** Present on every approximate graph of all rows; absent from exact results and from search results. */
  readonly recall?: MeasuredRecall;
}

export interface IndexCapabilities {
  /** Whether results are always the true neighbors. */
  readonly exact: boolean;
  /** Whether `add` works after a search. */
  readonly incremental: boolean;
}

export interface SearchOptions extends CallOptions {
  /** Neighbors per query; an integer ≥ 1. */
  readonly k: number;
  /** One id per query to exclude from its result, usually the row itself; -1 excludes none. */
  readonly exclude?: Int32Array;
}

/** Finds the nearest rows among those that were added. */
export interface NeighborIndex extends Component<'neighbor-index', IndexCapabilities>, AsyncDisposable {
  readonly metric: Metric;
  /** Number of rows added so far. Ids are 0 to size - 1, in the order of adding. */
  readonly size: number;
  /**
   * Adds a copy of the rows.
   * @throws ShapeError if the number of columns differs from earlier rows; NotFiniteError naming the row of a NaN or infinity.
   */
  add(vectors: Matrix, options?: CallOptions): Promise<void>;
  /** The k nearest added rows of every query. */
  search(queries: Matrix, options: SearchOptions): Promise<Neighbors>;
  /** The k nearest other rows of every added row. Optional: {@link selfJoin} falls back to `search`. */
  selfJoin?(options: CallOptions & { readonly k: number }): Promise<Neighbors>;
  /** The k nearest other rows of every row of `points`, which are read in blocks and neither added nor held in memory. Optional. */
  joinRows?(points: RowSource, options: CallOptions & { readonly k: number }): Promise<Neighbors>;
}
