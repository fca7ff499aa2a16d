// Lists of 8-byte keys: the ordered bits of a float32, then a 32-bit number that breaks ties.

import { fromOrderedBits, orderedBits } from './keys';
import { A, AT, bound, cap, GH, GN, GROUP, H, k, KEPT, LEN, N, LARGER, POOL, poolCap, POOL_NEXT, poolRows, U } from './layout';
import { wordAt } from './words';

@inline
export function keyOf(value: f32, tie: i32): u64 {
  return (<u64>orderedBits(value) << 32) | <u64><u32>tie;
}

@inline
export function valueOf(key: u64): f32 {
  return fromOrderedBits(<u32>(key >> 32));
}

@inline
export function at(list: usize, i: i32): u64 {
  return load<u64>(list + (<usize>i << 3));
}

@inline
export function put(list: usize, i: i32, key: u64): void {
  store<u64>(list + (<usize>i << 3), key);
}

/** Bound of the error of a pair's value, for the row at a position and any row of a group. */
@inline
export function errorOf(position: i32, group: i32): f32 {
  const o = <usize>position << 2;
  const g = <usize>group << 2;
  return load<f32>(N + o) * (<f32>bound * load<f32>(GN + g)) + (load<f32>(H + o) + load<f32>(GH + g));
}

/** Address of the candidates of the row at a position. */
@inline
export function candidates(position: i32): usize {
  const slot = load<i32>(LARGER + (<usize>position << 2));
  return slot == 0 ? KEPT + ((<usize>position * cap) << 3) : POOL + ((<usize>(slot - 1) * poolCap) << 3);
}

/** Number of candidates that the row at a position has room for. */
@inline
function roomOf(position: i32): i32 {
  return load<i32>(LARGER + (<usize>position << 2)) == 0 ? cap : poolCap;
}

/** Moves the first candidates of a row to a larger list, once per row. Returns whether one was free. */
function enlarge(position: i32, kept: i32): bool {
  if (load<i32>(LARGER + (<usize>position << 2)) != 0 || poolRows == 0) return false;
  const slot = atomic.add<i32>(wordAt(POOL_NEXT), 1);
  if (slot >= poolRows) {
    atomic.sub<i32>(wordAt(POOL_NEXT), 1); // so that the number stays bounded
    return false;
  }
  const from = candidates(position);
  store<i32>(LARGER + (<usize>position << 2), slot + 1);
  memory.copy(candidates(position), from, <usize>kept << 3);
  return true;
}

/** Adds a candidate of the row at a position. @param upper upper bound of the pair's value */
export function push(position: i32, upper: f32, other: i32): void {
  const o = <usize>position << 2;
  const length = load<i32>(LEN + o);
  if (length < 0) return;
  put(candidates(position), length, keyOf(upper, other));
  store<i32>(LEN + o, length + 1);
  if (length + 1 == roomOf(position)) compact(position);
}

/**
 * Drops candidates that can no longer be among the k nearest: those whose lower bound is above the k-th upper bound.
 * @returns the number of candidates left, or -1 if they are too many even for a larger list; the row is then scanned in full
 */
export function compact(position: i32): i32 {
  const list = candidates(position);
  const o = <usize>position << 2;
  const length = load<i32>(LEN + o);
  let top = load<f32>(U + o);
  if (length >= k) {
    select(list, 0, length - 1, k - 1);
    top = min(top, valueOf(at(list, k - 1)));
  }
  let kept = 0;
  for (let i = 0; i < length; i++) {
    const key = at(list, i);
    // Not "<= top", so that a row whose error is too large for float32 (infinite or NaN) is kept.
    if (!(valueOf(key) - 2 * errorOf(position, <i32>key / GROUP) > top)) put(list, kept++, key);
  }
  if (kept > roomOf(position) - 8 && !enlarge(position, kept)) {
    store<f32>(AT + o, f32.POSITIVE_INFINITY);
    kept = -1;
  } else {
    store<f32>(U + o, top);
    store<f32>(AT + o, load<f32>(A + o) - top);
  }
  store<i32>(LEN + o, kept);
  return kept;
}

/** Moves the m-th smallest key of [low, high] to index m (Hoare's selection). */
function select(list: usize, low: i32, high: i32, m: i32): void {
  while (high > low) {
    const a = at(list, low);
    const b = at(list, (low + high) >> 1);
    const c = at(list, high);
    const pivot = a < b ? (b < c ? b : max(a, c)) : a < c ? a : max(b, c);
    let i = low;
    let j = high;
    while (i <= j) {
      while (at(list, i) < pivot) i++;
      while (at(list, j) > pivot) j--;
      if (i <= j) {
        const key = at(list, i);
        put(list, i++, at(list, j));
        put(list, j--, key);
      }
    }
    if (m <= j) high = j;
    else if (m >= i) low = i;
    else return;
  }
}

/** Sorts a short list (Shellsort with Ciura's gaps). */
export function sort(list: usize, length: i32): void {
  let gap = 701;
  while (gap > 0) {
    for (let i = gap; i < length; i++) {
      const key = at(list, i);
      let j = i;
      for (; j >= gap && at(list, j - gap) > key; j -= gap) put(list, j, at(list, j - gap));
      put(list, j, key);
    }
    gap = gap > 301 ? 301 : gap > 132 ? 132 : gap > 57 ? 57 : gap > 23 ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : gap > 1 ? 1 : 0;
  }
}
