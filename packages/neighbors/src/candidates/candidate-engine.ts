import type { LibraryRows } from './library-rows.js';

/** Rows that a library thinks are near, for each query. */
export interface Candidates {
  /** queries x count; anything that is no row is ignored. */
  readonly ids: ArrayLike<number | bigint>;
  /** queries x count: squared lengths for `euclidean`, minus inner products otherwise, nearest first. Read only of exact engines. */
  readonly values?: ArrayLike<number>;
}

/** What a library does for an index: it finds candidates, and the index ranks them by the canonical distance. */
export interface CandidateEngine {
  /** Rows taken in so far. */
  readonly size: number;
  /** Takes in rows `size` to `end` - 1 of `points`; one short call. */
  add(points: LibraryRows, end: number): void | Promise<void>;
  /** Most rows of one `add`. */
  readonly rowsPerAdd: number;
  /** The first time that rows are enough, before they are added: for libraries that look at the data first. */
  train?(points: LibraryRows): void;
  /** `count` candidates, at most `size`, for each row of `queries` (rows x cols). */
  find(queries: Float32Array, rows: number, count: number): Candidates | Promise<Candidates>;
  dispose(): void;
}
