// All pairs of two blocks of rows, in tiles of 4 x 8 int16 products whose int32 sums are exact.

import { A, AT, blockRows, bound, GH, GN, GROUP, H, LOCKS, N, PANEL, positions, Q, S, split, steps } from './layout';
import { errorOf, push } from './lists';
import { scratch, wordAt } from './words';

/** Joins pairs [first, end) of blocks. Consecutive pairs have different blocks, so that locks hardly ever wait. */
export function join(first: i32, end: i32, _: i32): void {
  for (let pair = first; pair < end; pair++) joinPair(pair);
}

/**
 * Each number is another pair of a block of the first segment and one of the second, or of any two blocks if there is one segment.
 */
function joinPair(pair: i32): void {
  const blocks = positions / blockRows;
  const own = split / blockRows;
  const other = blocks - own;
  if (other == 0) {
    // With the blocks in a circle, the pairs at distance 0, 1, ... up to half of the circle.
    const a = pair % blocks;
    const b = (a + pair / blocks) % blocks;
    joinBlocks(min(a, b), max(a, b));
    return;
  }
  const narrow = min(own, other);
  const a = pair % narrow;
  const b = (a + pair / narrow) % max(own, other);
  if (own <= other) joinBlocks(a, own + b);
  else joinBlocks(b, own + a);
}

/** Offers every pair of rows of two blocks (first ≤ second) to both of its rows. Blocks are locked in order, to avoid deadlocks. */
function joinBlocks(first: i32, second: i32): void {
  lock(first);
  if (first != second) lock(second);
  const groups = blockRows / GROUP;
  for (let b = second * groups; b < (second + 1) * groups; b++) {
    const end = first == second ? b + 1 : (first + 1) * groups;
    for (let a = first * groups; a < end; a++) joinGroups(a, b);
  }
  unlock(first);
  if (first != second) unlock(second);
}

function lock(block: i32): void {
  const word = wordAt(LOCKS + block);
  while (atomic.cmpxchg<i32>(word, 0, 1) != 0) atomic.wait<i32>(word, 1, -1);
}

function unlock(block: i32): void {
  const word = wordAt(LOCKS + block);
  atomic.store<i32>(word, 0);
  atomic.notify(word, 1);
}

/** The scratch memory holds thresholds of the rows of both groups, then 8 values. */
function joinGroups(a: i32, b: i32): void {
  const i = a * GROUP;
  const j = b * GROUP;
  thresholds(scratch, i, b);
  thresholds(scratch + (GROUP << 2), j, a);
  const panelBytes = (<usize>steps * PANEL) << 2;
  const rows = Q + <usize>(i / PANEL) * panelBytes;
  const columns = Q + <usize>(j / PANEL) * panelBytes;
  for (let p: i32 = 0; p < GROUP / PANEL; p++) {
    for (let q: i32 = a == b ? p : 0; q < GROUP / PANEL; q++) {
      const y = columns + <usize>q * panelBytes;
      const x = rows + <usize>p * panelBytes;
      const isDiagonal = a == b && p == q;
      tile(x, y, i, p * PANEL, j, q * PANEL, a, b, isDiagonal);
      tile(x + 16, y, i, p * PANEL + 4, j, q * PANEL, a, b, isDiagonal);
    }
  }
}

/** A - U - error of the rows of the group that begins at `position`, against any row of another group. */
function thresholds(out: usize, position: i32, other: i32): void {
  const g = <usize>other << 2;
  const norm = f32x4.splat(<f32>bound * load<f32>(GN + g));
  const rest = f32x4.splat(load<f32>(GH + g));
  for (let o = <usize>position << 2, end = o + (GROUP << 2); o < end; o += 16, out += 16) {
    const error = f32x4.add(f32x4.mul(v128.load(N + o), norm), f32x4.add(v128.load(H + o), rest));
    v128.store(out, f32x4.sub(v128.load(AT + o), error));
  }
}

@inline
function mac(sum: v128, x: v128, y: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, y));
}

/** 4 rows from address x against the 8 of the panel y: positions i + r and j + c. */
function tile(x: usize, y: usize, i: i32, r: i32, j: i32, c: i32, a: i32, b: i32, isDiagonal: bool): void {
  const zero = i32x4.splat(0);
  let s00 = zero, s01 = zero, s10 = zero, s11 = zero, s20 = zero, s21 = zero, s30 = zero, s31 = zero;
  // One step per iteration: two would leave too few registers for the sums.
  for (const end = y + ((<usize>steps * PANEL) << 2); y < end; y += PANEL << 2, x += PANEL << 2) {
    const y0 = v128.load(y);
    const y1 = v128.load(y, 16);
    let v = v128.load32_splat(x);
    s00 = mac(s00, v, y0);
    s01 = mac(s01, v, y1);
    v = v128.load32_splat(x, 4);
    s10 = mac(s10, v, y0);
    s11 = mac(s11, v, y1);
    v = v128.load32_splat(x, 8);
    s20 = mac(s20, v, y0);
    s21 = mac(s21, v, y1);
    v = v128.load32_splat(x, 12);
    s30 = mac(s30, v, y0);
    s31 = mac(s31, v, y1);
  }
  scan(s00, s01, i, r, j, c, a, b, isDiagonal);
  scan(s10, s11, i, r + 1, j, c, a, b, isDiagonal);
  scan(s20, s21, i, r + 2, j, c, a, b, isDiagonal);
  scan(s30, s31, i, r + 3, j, c, a, b, isDiagonal);
}

/** Tests one row of a tile against the thresholds of both sides, and adds the few pairs that pass as candidates. */
function scan(low: v128, high: v128, i: i32, r: i32, j: i32, c: i32, a: i32, b: i32, isDiagonal: bool): void {
  const row = i + r;
  const oi = <usize>row << 2;
  const oj = <usize>(j + c) << 2;
  const tr = scratch + (<usize>r << 2);
  const tc = scratch + (GROUP << 2) + (<usize>c << 2);
  const scale = v128.load32_splat(S + oi);
  const threshold = v128.load32_splat(tr);
  const half = v128.load32_splat(A + oi);
  const f0 = f32x4.mul(f32x4.convert_i32x4_s(low), f32x4.mul(scale, v128.load(S + oj)));
  const f1 = f32x4.mul(f32x4.convert_i32x4_s(high), f32x4.mul(scale, v128.load(S + oj, 16)));
  const r0 = f32x4.gt(f0, f32x4.add(v128.load(A + oj), threshold));
  const r1 = f32x4.gt(f1, f32x4.add(v128.load(A + oj, 16), threshold));
  const c0 = f32x4.gt(f0, f32x4.add(v128.load(tc), half));
  const c1 = f32x4.gt(f1, f32x4.add(v128.load(tc, 16), half));
  if (!v128.any_true(v128.or(v128.or(r0, r1), v128.or(c0, c1)))) return;
  let forRow = i32x4.bitmask(r0) | (i32x4.bitmask(r1) << 4);
  let forColumns = i32x4.bitmask(c0) | (i32x4.bitmask(c1) << 4);
  if (isDiagonal) {
    // Each pair once, and no row paired with itself.
    const above = (0xff << (row - (j + c) + 1)) & 0xff;
    forRow &= above;
    forColumns &= above;
  }
  const values = scratch + (GROUP << 3);
  v128.store(values, f0);
  v128.store(values, f1, 16);
  const rowError = errorOf(row, b);
  for (let m = forRow | forColumns; m; m &= m - 1) {
    const bit = ctz(m);
    const column = j + c + bit;
    const value = load<f32>(A + oi) + load<f32>(A + (<usize>column << 2)) - load<f32>(values + (<usize>bit << 2));
    if ((forRow >> bit) & 1) push(row, value + rowError, column);
    if ((forColumns >> bit) & 1) push(column, value + errorOf(column, a), row);
  }
}
