// Exact nearest neighbors: int16 tiles with a proven bound rule out most pairs, and the canonical distance ranks the rest.
// See docs/decisions/0014-int16-tiles-with-a-proven-bound.md.

import { distance } from './canonical';
import { ids, isMutual, k, LEN, LISTS, positions, rowAt, SCANS, split } from './layout';
import { at, candidates, compact, keyOf, put, sort } from './lists';
import { wordAt } from './words';

export { setup } from './layout';
// The phases: functions of items [first, end), and of a value that none of them uses.
export { measure, quantize, scan } from './rows';
export { join } from './tiles';

/** Merges the candidates of positions [first, end) into their lists of neighbors. */
export function rank(first: i32, end: i32, _: i32): void {
  for (let position = first; position < end; position++) {
    const row = load<i32>(rowAt + (<usize>position << 2));
    if (row < 0 || (position >= split && !isMutual)) continue;
    const list = LISTS + ((<usize>position * k) << 3);
    const isMarked = load<i32>(LEN + (<usize>position << 2)) < 0;
    const length = isMarked ? -1 : compact(position);
    if (length < 0) {
      atomic.add<i32>(wordAt(SCANS), 1);
      scanAll(position, row, list);
      continue;
    }
    const kept = candidates(position);
    for (let i = 0; i < length; i++) {
      const other = load<i32>(rowAt + (<usize><u32>at(kept, i) << 2));
      put(kept, i, keyOf(distance(row, other), load<i32>(ids + (<usize>other << 2))));
    }
    sort(kept, length);
    merge(list, kept, length);
  }
}

/** Merges the k smallest keys of two sorted lists into the first one, which holds k keys. */
function merge(list: usize, other: usize, length: i32): void {
  let i = 0;
  let j = 0;
  while (i + j < k) {
    if (j < length && at(other, j) < at(list, i)) j++;
    else i++;
  }
  for (let to = k - 1; j > 0; to--) {
    if (i > 0 && at(list, i - 1) > at(other, j - 1)) put(list, to, at(list, --i));
    else put(list, to, at(other, --j));
  }
}

/** Compares the row with all others by distance: slow, and exact where the bound leaves too many candidates. */
function scanAll(position: i32, row: i32, list: usize): void {
  const isCross = split < positions;
  const start = isCross && position < split ? split : 0;
  const end = isCross && position >= split ? split : positions;
  for (let p = start; p < end; p++) {
    const other = load<i32>(rowAt + (<usize>p << 2));
    if (other < 0 || p == position) continue;
    const key = keyOf(distance(row, other), load<i32>(ids + (<usize>other << 2)));
    if (key >= at(list, k - 1)) continue;
    let to = k - 1;
    for (; to > 0 && at(list, to - 1) > key; to--) put(list, to, at(list, to - 1));
    put(list, to, key);
  }
}
