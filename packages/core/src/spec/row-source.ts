import type { CallOptions } from './events.js';
import type { Matrix } from './matrix.js';

/** Rows that are read in blocks, from a file for one: only what is asked for is in memory. */
export interface RowSource {
  readonly rows: number;
  readonly cols: number;
  /** Rows `start` to `end` - 1; the buffer belongs to the caller. Calls may run at the same time. */
  read(start: number, end: number, options?: CallOptions): Promise<Matrix>;
}
