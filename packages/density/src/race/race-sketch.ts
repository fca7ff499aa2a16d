/** What a RACE sketch knows: how many of its points fell into each counter. Plain data. */
export interface RaceSketch {
  /** Columns of the points; 0 until the first come. */
  readonly cols: number;
  /** Points that count. */
  readonly size: number;
  /** rows x 2^hashes, row-major. */
  readonly counters: Int32Array;
  /** Under a window: the counters of the points in it, one a row, oldest first; size x rows. */
  readonly recent?: Uint16Array;
}
