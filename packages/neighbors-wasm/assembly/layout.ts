// The layout of a join in the shared memory. The host writes these numbers (src/join-memory.ts); every worker reads them.

import { setWords } from './words';

/** Words that workers share. */
export const BAD: i32 = 2; // first row with a NaN or infinity
export const RESIDUAL: i32 = 3; // largest residual per norm of its row, in multiples of 2^-30
export const SCANS: i32 = 4; // rows that were scanned in full
export const POOL_NEXT: i32 = 5; // larger lists taken so far
export const LOCKS: i32 = 16; // one lock per block from here on

export const EUCLIDEAN: i32 = 0;
export const COSINE: i32 = 1;
export const DOT: i32 = 2;

/** Rows of a panel, whose columns are interleaved: [steps][8 rows][2 int16]. */
export const PANEL: i32 = 8;
/** Rows that share a bound of their norms. */
export const GROUP: i32 = 32;

export let metric: i32 = 0;
/** Columns with the padding, a multiple of 8. A step is a pair of columns. */
export let stride: i32 = 0;
export let steps: i32 = 0;
/** Entries of a row's list of neighbors, and of its list of candidates. */
export let k: i32 = 0;
export let cap: i32 = 0;
/** Positions per block, a multiple of 32. Positions are rows ordered by norm, padded to whole blocks with -1 in `rowAt`. */
export let blockRows: i32 = 0;
/** A join of two segments has them at positions [0, split) and [split, positions). A self-join has split = positions. */
export let split: i32 = 0;
export let positions: i32 = 0;
/** Whether rows of the second segment get neighbors too; 0 in a search. */
export let isMutual: i32 = 0;

export let X: usize = 0; // float32 [row][stride]
export let squared: usize = 0; // float64 [row]: |x|²
export let hashes: usize = 0; // 2 uint64 [row]
export let ids: usize = 0; // int32 [row]
export let centered: usize = 0; // float64 [row]: |x - center|²; not set for cosine
export let center: usize = 0; // float64 [stride]; multiplied by unit once norms are measured
export let rowAt: usize = 0; // int32 [position]
export let Q: usize = 0; // int16 panels
export let S: usize = 0; // float32 [position]: x - center ≈ S q
export let A: usize = 0; // float32 [position]: the value of a pair is A_x + A_y - (x - center) · (y - center)
export let N: usize = 0; // float32 [position]: at least |x - center|
export let H: usize = 0; // float32 [position]: the part of the error that is not a product of two norms
export let U: usize = 0; // float32 [position]: upper bound of the k-th nearest value
export let AT: usize = 0; // float32 [position]: A - U
export let LEN: usize = 0; // int32 [position]: candidates kept; -1 if the row is scanned in full
export let KEPT: usize = 0; // uint64 [position][cap]: (upper bound, position)
export let LISTS: usize = 0; // uint64 [position][k]: (distance, id), in order
export let GN: usize = 0; // float32 [group]: largest N
export let GH: usize = 0; // float32 [group]: largest H
export let LARGER: usize = 0; // int32 [position]: 1 + the list of the pool that the row's candidates moved to, or 0
export let POOL: usize = 0; // uint64 [poolRows][poolCap]: larger lists, for rows with more than `cap` candidates
export let poolCap: i32 = 0;
export let poolRows: i32 = 0;

/** Power of two that rows are multiplied by; 1 / that. */
export let unit: f64 = 1;
export let inverseUnit: f64 = 1;
/** |x · y - Sx Sy qx · qy| ≤ bound |x| |y| of centered rows. */
export let bound: f64 = 0;
/** Largest |x - center| by euclidean, |x| by inner product, multiplied by unit. */
export let largest: f64 = 0;
/** |center|, multiplied by unit. */
export let centerNorm: f64 = 0;
/** Error of a canonical distance below the normal range of float32, in scaled units. */
export let tiny: f64 = 0;

/** Reads the parameters at `p`. Runs before each phase. */
export function setup(p: usize, worker: i32): void {
  setWords(p, worker);
  metric = load<i32>(p, 16);
  stride = load<i32>(p, 20);
  steps = stride >> 1;
  k = load<i32>(p, 24);
  cap = load<i32>(p, 28);
  blockRows = load<i32>(p, 32);
  split = load<i32>(p, 36);
  positions = load<i32>(p, 40);
  isMutual = load<i32>(p, 44);
  unit = load<f64>(p, 48);
  bound = load<f64>(p, 56);
  largest = load<f64>(p, 64);
  centerNorm = load<f64>(p, 72);
  inverseUnit = 1 / unit;
  // 2^-150 is half of the smallest float32.
  tiny = 7.006492321624085e-46 * (metric == DOT ? unit * unit : unit);
  X = load<u32>(p, 80);
  squared = load<u32>(p, 84);
  hashes = load<u32>(p, 88);
  ids = load<u32>(p, 92);
  centered = load<u32>(p, 96);
  center = load<u32>(p, 100);
  rowAt = load<u32>(p, 104);
  Q = load<u32>(p, 108);
  S = load<u32>(p, 112);
  A = load<u32>(p, 116);
  N = load<u32>(p, 120);
  H = load<u32>(p, 124);
  U = load<u32>(p, 128);
  AT = load<u32>(p, 132);
  LEN = load<u32>(p, 136);
  KEPT = load<u32>(p, 140);
  LISTS = load<u32>(p, 144);
  GN = load<u32>(p, 148);
  GH = load<u32>(p, 152);
  LARGER = load<u32>(p, 156);
  POOL = load<u32>(p, 160);
  poolCap = load<i32>(p, 164);
  poolRows = load<i32>(p, 168);
}
