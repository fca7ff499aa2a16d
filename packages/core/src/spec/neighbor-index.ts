import type { Component } from './component.js';
import type { CallOptions } from './events.js';
import type { Matrix } from './matrix.js';
import type { RowSource } from './row-source.js';

/**
 * How far apart two rows are; smaller is nearer for every metric. `euclidean`: length of the difference. `cosine`: 1 - cosine,
 * a zero vector being at distance 1 from all. `dot`: minus the inner product.
 */
export type Metric = 'euclidean' | 'cosine' | 'dot';

/** How many of the true neighbours an approximate graph holds, measured against exact search on sampled rows. */
export interface MeasuredRecall {
  /** Share of the true k nearest that were found, in [0, 1]. One as near as the true k-th, but for 1e-6 of it, counts as found. */
  readonly value: number;
  readonly sampledRows: number;
}

/** Always rows x k, row-major, each row ordered by (distance, id). A missing neighbour is id -1 at +Infinity. */
export interface Neighbors {
  readonly rows: number;
  readonly k: number;
  readonly ids: Int32Array;
  readonly distances: Float32Array;
  /** Always there on an approximate graph of all rows; absent from exact answers and from those to queries. */
  readonly recall?: MeasuredRecall;
}

export interface IndexCapabilities {
  /** Whether every answer is the true one. */
  readonly exact: boolean;
  /** Whether `add` works after a search. */
  readonly incremental: boolean;
}

export interface SearchOptions extends CallOptions {
  /** Neighbours a query; an integer ≥ 1. */
  readonly k: number;
  /** One id a query row to leave out, usually the row itself; -1 leaves none out. */
  readonly exclude?: Int32Array;
}

export interface NeighborIndex extends Component<'neighbor-index', IndexCapabilities>, AsyncDisposable {
  readonly metric: Metric;
  /** Rows added so far; ids are 0 to size - 1 in the order of adding. */
  readonly size: number;
  /** @throws ShapeError for other columns than earlier rows; NotFiniteError naming the row of a NaN or infinity. */
  add(vectors: Matrix, options?: CallOptions): Promise<void>;
  search(queries: Matrix, options: SearchOptions): Promise<Neighbors>;
  /** Every row's k nearest other rows. Optional: {@link selfJoin} falls back to `search`. */
  selfJoin?(options: CallOptions & { readonly k: number }): Promise<Neighbors>;
  /** The same of rows that are read in blocks; they are not added, and no copy of them all is held. Optional. */
  joinRows?(points: RowSource, options: CallOptions & { readonly k: number }): Promise<Neighbors>;
}
