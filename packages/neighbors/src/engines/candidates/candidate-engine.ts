import type { LibraryRows } from './library-rows.js';

/** Rows that a library found near each query. */
export interface Candidates {
  /** queries x count; ids that are no row are ignored. */
  readonly ids: ArrayLike<number | bigint>;
  /**
   * queries x count: squared lengths for `euclidean`, otherwise minus inner products, nearest first. Used of exact engines only.
   */
  readonly values?: ArrayLike<number>;
}

/** What a library does for an index: it finds candidates, which the index ranks by the canonical distance. */
export interface CandidateEngine {
  /** Number of rows added so far. */
  readonly size: number;
  /** Adds rows [size, end) of `points`; one short call. */
  add(points: LibraryRows, end: number): void | Promise<void>;
  /** Most rows of one `add`. */
  readonly rowsPerAdd: number;
  /** Called once before the first rows are added, for libraries that learn from the data. */
  train?(points: LibraryRows): void;
  /** `count` candidates (at most `size`) for each row of `queries`, which is rows x cols. */
  find(queries: Float32Array, rows: number, count: number): Candidates | Promise<Candidates>;
  dispose(): void;
}
