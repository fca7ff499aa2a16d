import type { CallOptions } from './component.js';

/** Row-major, contiguous: `data.length === rows * cols`. */
export interface Matrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly cols: number;
}

/** A matrix that is read in blocks, for example from a file. Only the requested rows are in memory. */
export interface RowSource {
  readonly rows: number;
  readonly cols: number;
  /** Reads rows `start` to `end` - 1. The buffer belongs to the caller. Concurrent calls are allowed. */
  read(start: number, end: number, options?: CallOptions): Promise<Matrix>;
}
