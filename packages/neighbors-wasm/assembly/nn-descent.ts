// NN-descent on int16 rows in shared memory: projection trees, candidate lists, local joins.
//
// A row's list holds its `width` smallest entries by (value, id), in whatever order they are offered, and a candidate list its
// smallest by (hash, id). So the graph does not depend on the threads or their timing. One lock per row protects its lists.

import { fromOrderedBits, mix64, orderedBits } from './keys';
import { scratch, setWords, wordAt } from './words';

// The phases are functions of items [from, to) and of a value: rows, unless their comment says otherwise.

/** Words that workers share. */
const FRESH: i32 = 2; // leaves of the first tree, then fresh entries of a round
const HITS: i32 = 3; // pairs that `check` found

let total: i32 = 0; // number of rows
let rowBytes: usize = 0;
let width: i32 = 0;
let most: i32 = 0; // entries of a candidate list
let seed: u64 = 0;
let mostHits: i32 = 0;
let rows: usize = 0; // int16 [total][rowBytes / 2], padded with zeros
let facts: usize = 0; // float32 [total][4]: scale; half the squared length, or a constant; value of the last entry; unused
let graph: usize = 0; // uint64 [total][width]: see entry()
let locks: usize = 0; // int32 [total]
let freshCounts: usize = 0; // int32 [total]
let oldCounts: usize = 0; // int32 [total]
let order: usize = 0; // int32 [total]: the first tree's order of the rows
let freshLists: usize = 0; // uint64 [total][most]: hash << 32 | id
let oldLists: usize = 0; // uint64 [total][most]
let forest: usize = 0; // int32 [trees - 1][2][total]: order and spare room of the other trees, where the candidate lists are later
let queries: usize = 0; // int32 [queries]: rows whose neighbors are checked
let limits: usize = 0; // float32 [queries]
let hits: usize = 0; // int32 [mostHits][2]: query and row

const empty: u64 = 0xff800000ffffffff; // +Infinity without an id

/** Reads the parameters at `p`, which the host writes (src/descent-memory.ts). Runs before each phase. */
export function setup(p: usize, worker: i32): void {
  setWords(p, worker);
  total = load<i32>(p, 12);
  rowBytes = load<u32>(p, 16);
  width = load<i32>(p, 20);
  most = load<i32>(p, 24);
  mostHits = load<i32>(p, 28);
  seed = load<u64>(p, 32);
  rows = load<u32>(p, 40);
  facts = load<u32>(p, 44);
  graph = load<u32>(p, 48);
  locks = load<u32>(p, 52);
  freshCounts = load<u32>(p, 56);
  oldCounts = load<u32>(p, 60);
  order = load<u32>(p, 64);
  freshLists = load<u32>(p, 68);
  oldLists = load<u32>(p, 72);
  forest = load<u32>(p, 76);
  queries = load<u32>(p, 80);
  limits = load<u32>(p, 84);
  hits = load<u32>(p, 88);
}

@inline
function scaleOf(row: i32): f32 {
  return load<f32>(facts + (<usize>row << 4));
}

@inline
function halfOf(row: i32): f32 {
  return load<f32>(facts + (<usize>row << 4), 4);
}

@inline
function limitOf(row: i32): f32 {
  return load<f32>(facts + (<usize>row << 4), 8);
}

@inline
function lock(row: i32): void {
  while (atomic.cmpxchg<i32>(locks + (<usize>row << 2), 0, 1) != 0) {}
}

@inline
function unlock(row: i32): void {
  atomic.store<i32>(locks + (<usize>row << 2), 0);
}

/** A list entry: the value, then the id, then whether it is old, as one unsigned number that sorts in this order. */
@inline
function entry(value: f32, id: i32): u64 {
  return (<u64>orderedBits(value) << 32) | (<u64>id << 1);
}

/**
 * Stores the float32 row at `source` as row `position`: ((x - mean) * factor) in int16, its scale and half its squared length.
 * |q| < 2^15.5, so that no int32 sum of products can overflow.
 * @param half a number to store instead of half the squared length, or NaN
 */
export function quantize(source: usize, mean: usize, cols: i32, factor: f64, position: i32, half: f32): void {
  let squares: f64 = 0;
  let largest: f64 = 0;
  for (let c: usize = 0; c < <usize>cols; c++) {
    const x = (<f64>load<f32>(source + (c << 2)) - load<f64>(mean + (c << 3))) * factor;
    squares += x * x;
    largest = max(largest, abs(x));
  }
  const scale = max(max(sqrt(squares) / 46000, largest / 32767), 1e-37);
  const target = rows + <usize>position * rowBytes;
  const inverse = factor / scale;
  for (let c: usize = 0; c < <usize>cols; c++) {
    store<i16>(target + (c << 1), <i16>nearest((<f64>load<f32>(source + (c << 2)) - load<f64>(mean + (c << 3))) * inverse));
  }
  const fact = facts + (<usize>position << 4);
  store<f32>(fact, <f32>scale);
  store<f32>(fact, isNaN(half) ? <f32>(squares / 2) : half, 4);
  store<f32>(fact, Infinity, 8);
}

/** Integer inner products of the row at `p` with those at q0 to q3. */
@inline
function products(p: usize, q0: usize, q1: usize, q2: usize, q3: usize): v128 {
  const end = p + rowBytes;
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let c = i32x4.splat(0);
  let d = i32x4.splat(0);
  for (; p < end; p += 32, q0 += 32, q1 += 32, q2 += 32, q3 += 32) {
    const x = v128.load(p);
    const y = v128.load(p, 16);
    a = i32x4.add(a, i32x4.add(i32x4.dot_i16x8_s(x, v128.load(q0)), i32x4.dot_i16x8_s(y, v128.load(q0, 16))));
    b = i32x4.add(b, i32x4.add(i32x4.dot_i16x8_s(x, v128.load(q1)), i32x4.dot_i16x8_s(y, v128.load(q1, 16))));
    c = i32x4.add(c, i32x4.add(i32x4.dot_i16x8_s(x, v128.load(q2)), i32x4.dot_i16x8_s(y, v128.load(q2, 16))));
    d = i32x4.add(d, i32x4.add(i32x4.dot_i16x8_s(x, v128.load(q3)), i32x4.dot_i16x8_s(y, v128.load(q3, 16))));
  }
  const ab = i32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
  return i32x4.add(i32x4.shuffle(ab, cd, 0, 1, 4, 5), i32x4.shuffle(ab, cd, 2, 3, 6, 7));
}

/** Adds the entry to the row's list if it is among the smallest. */
function offer(row: i32, key: u64): void {
  const base = graph + ((<usize>row * <usize>width) << 3);
  lock(row);
  let at = base + ((<usize>width - 1) << 3);
  if (key < load<u64>(at)) {
    while (at > base && load<u64>(at - 8) > key) at -= 8;
    // Equal ids have equal values, so the same entry, if it was offered before, is here (marked old) or before it (not marked).
    const same = load<u64>(at) == (key | 1) || (at > base && load<u64>(at - 8) == key);
    if (!same) {
      memory.copy(at + 8, at, base + ((<usize>width - 1) << 3) - at);
      store<u64>(at, key);
      store<f32>(facts + (<usize>row << 4), fromOrderedBits(load<u32>(base + (<usize>width << 3) - 4)), 8);
    }
  }
  unlock(row);
}

// The rows of a local join, gathered in this thread's scratch: ids, addresses, scales, halves, values of the last entries.
const mostJoined: usize = 512;

const ADDRESS: usize = mostJoined << 2;
const SCALE: usize = mostJoined << 3;
const HALF: usize = mostJoined * 12;
const LIMIT: usize = mostJoined * 16;
const REST: usize = mostJoined * 20;

function gather(to: i32, id: i32): void {
  const at = <usize>to << 2;
  store<i32>(scratch + at, id);
  store<u32>(scratch + at, <u32>(rows + <usize>id * rowBytes), ADDRESS);
  store<f32>(scratch + at, scaleOf(id), SCALE);
  store<f32>(scratch + at, halfOf(id), HALF);
  store<f32>(scratch + at, limitOf(id), LIMIT);
}

/** The values of the row at `p` with gathered rows b to b + 3, or with row `last` in place of rows after it. */
@inline
function valuesOfFour(p: usize, scale: v128, half: v128, b: i32, last: i32): v128 {
  const at = scratch + (<usize>b << 2);
  const sums = products(
    p,
    load<u32>(at, ADDRESS),
    load<u32>(scratch + (<usize>min(b + 1, last) << 2), ADDRESS),
    load<u32>(scratch + (<usize>min(b + 2, last) << 2), ADDRESS),
    load<u32>(scratch + (<usize>min(b + 3, last) << 2), ADDRESS),
  );
  const product = f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.mul(scale, v128.load(at, SCALE)));
  return f32x4.sub(f32x4.add(half, v128.load(at, HALF)), product);
}

/** Offers gathered row `a` and each gathered row before `end` to each other. */
function joinOne(a: i32, end: i32): void {
  const own = scratch + (<usize>a << 2);
  const p = load<u32>(own, ADDRESS);
  const id = load<i32>(own);
  const scale = f32x4.splat(load<f32>(own, SCALE));
  const half = f32x4.splat(load<f32>(own, HALF));
  const limit = f32x4.splat(load<f32>(own, LIMIT));
  for (let b = 0; b < end; b += 4) {
    const at = scratch + (<usize>b << 2);
    const values = valuesOfFour(p, scale, half, b, end - 1);
    let hits = i32x4.bitmask(f32x4.le(values, f32x4.max(limit, v128.load(at, LIMIT))));
    if (b + 4 > end) hits &= (1 << (end - b)) - 1;
    if (!hits) continue;
    if (hits & 1) pair(id, load<i32>(at), f32x4.extract_lane(values, 0));
    if (hits & 2) pair(id, load<i32>(at, 4), f32x4.extract_lane(values, 1));
    if (hits & 4) pair(id, load<i32>(at, 8), f32x4.extract_lane(values, 2));
    if (hits & 8) pair(id, load<i32>(at, 12), f32x4.extract_lane(values, 3));
  }
}

@inline
function last(row: i32): u64 {
  return load<u64>(graph + ((<usize>(row + 1) * <usize>width) << 3) - 8);
}

function pair(i: i32, j: i32, value: f32): void {
  if (i == j) return;
  const toI = entry(value, j);
  if (toI < last(i)) offer(i, toI);
  const toJ = entry(value, i);
  if (toJ < last(j)) offer(j, toJ);
}

/** Empties the lists. */
export function clear(from: i32, to: i32, _: i32): void {
  const end = graph + ((<usize>to * <usize>width) << 3);
  for (let at = graph + ((<usize>from * <usize>width) << 3); at < end; at += 8) store<u64>(at, empty);
}

/** Joins all pairs of the first `count` gathered rows. */
function joinAll(count: i32): void {
  for (let a = 1; a < count; a++) joinOne(a, a);
}

/**
 * Builds a projection tree over all ids, in `order`: a node with more than `leaf` rows is split by which of two of its rows is
 * nearer. If `starts` is 0, the rows of each leaf are joined; otherwise each leaf's first position is stored there.
 * @param spare room for as many ids @returns the number of leaves
 * Source: Dasgupta and Freund, "Random projection trees and low dimensional manifolds", STOC 2008.
 */
function tree(order: usize, leaf: i32, number: i32, spare: usize, starts: usize): i32 {
  const stack = scratch + REST;
  const direction = stack + 16384;
  let depth: usize = 8;
  let leaves = 0;
  for (let id = 0; id < total; id++) store<i32>(order + (<usize>id << 2), id);
  store<i32>(stack, 0);
  store<i32>(stack, total, 4);
  while (depth > 0) {
    depth -= 8;
    const low = load<i32>(stack + depth);
    const high = load<i32>(stack + depth, 4);
    const size = high - low;
    if (size <= leaf) {
      if (starts) store<i32>(starts + (<usize>leaves << 2), low);
      else {
        for (let at = low; at < high; at++) gather(at - low, load<i32>(order + (<usize>at << 2)));
        joinAll(size);
      }
      leaves++;
      continue;
    }
    const hash = mix64(mix64(seed ^ (<u64>number << 48)) ^ (<u64>low << 32) ^ <u64>high);
    const a = load<i32>(order + (<usize>(low + <i32>((hash & 0xffffffff) % size)) << 2));
    const b = load<i32>(order + (<usize>(low + <i32>((hash >> 32) % size)) << 2));
    let left = split(order, low, high, a, b, direction, spare);
    // A split that leaves almost nothing on one side could make the tree as deep as the number of rows.
    if (left - low < size / 64 + 1 || high - left < size / 64 + 1) left = low + size / 2;
    // The smaller part goes first, so that the stack stays short.
    const leftFirst = left - low < high - left;
    store<i32>(stack + depth, leftFirst ? left : low);
    store<i32>(stack + depth, leftFirst ? high : left, 4);
    store<i32>(stack + depth, leftFirst ? low : left, 8);
    store<i32>(stack + depth, leftFirst ? left : high, 12);
    depth += 16;
  }
  return leaves;
}

/** Builds the first tree, and counts its leaves. One item; the value is the size of a leaf. */
export function firstTree(_from: i32, _to: i32, leaf: i32): void {
  atomic.store<i32>(wordAt(FRESH), tree(order, leaf, 0, forest, freshCounts));
}

/** Builds the other trees and joins their leaves. The items are trees; the value is the size of a leaf. */
export function trees(from: i32, to: i32, leaf: i32): void {
  for (let number = from; number < to; number++) {
    const own = forest + ((<usize>total * <usize>number) << 3);
    tree(own, leaf, number + 1, own + (<usize>total << 2), 0);
  }
}

/** Stable partition: ids of rows nearer to row a than to row b come first. @returns the position of the first of the others */
function split(order: usize, low: i32, high: i32, a: i32, b: i32, direction: usize, spare: usize): i32 {
  const rowA = rows + <usize>a * rowBytes;
  const rowB = rows + <usize>b * rowBytes;
  const scaleA = <f64>scaleOf(a);
  const scaleB = <f64>scaleOf(b);
  let squares: f64 = 0;
  let largest: f64 = 0;
  for (let c: usize = 0; c < rowBytes; c += 2) {
    const x = scaleA * <f64>load<i16>(rowA + c) - scaleB * <f64>load<i16>(rowB + c);
    squares += x * x;
    largest = max(largest, abs(x));
  }
  const scale = max(max(sqrt(squares) / 46000, largest / 32767), 1e-37);
  for (let c: usize = 0; c < rowBytes; c += 2) {
    const x = scaleA * <f64>load<i16>(rowA + c) - scaleB * <f64>load<i16>(rowB + c);
    store<i16>(direction + c, <i16>nearest(x / scale));
  }
  const middle = f32x4.splat(
    <f32>((<f64>halfOf(a) - <f64>halfOf(b)) / scale),
  );
  let left = low;
  let right: usize = spare + (<usize>low << 2);
  for (let at = low; at < high; at += 4) {
    const id0 = load<i32>(order + (<usize>at << 2));
    const id1 = load<i32>(order + (<usize>min(at + 1, high - 1) << 2));
    const id2 = load<i32>(order + (<usize>min(at + 2, high - 1) << 2));
    const id3 = load<i32>(order + (<usize>min(at + 3, high - 1) << 2));
    const sums = products(
      direction,
      rows + <usize>id0 * rowBytes,
      rows + <usize>id1 * rowBytes,
      rows + <usize>id2 * rowBytes,
      rows + <usize>id3 * rowBytes,
    );
    let lengths = f32x4.splat(scaleOf(id0));
    lengths = f32x4.replace_lane(lengths, 1, scaleOf(id1));
    lengths = f32x4.replace_lane(lengths, 2, scaleOf(id2));
    lengths = f32x4.replace_lane(lengths, 3, scaleOf(id3));
    const nearer = i32x4.bitmask(f32x4.gt(f32x4.mul(f32x4.convert_i32x4_s(sums), lengths), middle));
    for (let lane = 0; lane < min(4, high - at); lane++) {
      const id = lane == 0 ? id0 : lane == 1 ? id1 : lane == 2 ? id2 : id3;
      if ((nearer >> lane) & 1) {
        store<i32>(order + (<usize>left << 2), id);
        left++;
      } else {
        store<i32>(right, id);
        right += 4;
      }
    }
  }
  const from = spare + (<usize>low << 2);
  memory.copy(order + (<usize>left << 2), from, right - from);
  return left;
}

/** Moves row order[i] to row i, for all rows; overwrites the order. One item. */
export function permute(_from: i32, _to: i32, _: i32): void {
  const held = scratch;
  for (let start = 0; start < total; start++) {
    if (load<i32>(order + (<usize>start << 2)) < 0) continue;
    memory.copy(held, rows + <usize>start * rowBytes, rowBytes);
    const fact = v128.load(facts + (<usize>start << 4));
    let at = start;
    for (;;) {
      const from = load<i32>(order + (<usize>at << 2));
      store<i32>(order + (<usize>at << 2), ~from);
      if (from == start) break;
      memory.copy(rows + <usize>at * rowBytes, rows + <usize>from * rowBytes, rowBytes);
      v128.store(facts + (<usize>at << 4), v128.load(facts + (<usize>from << 4)));
      at = from;
    }
    memory.copy(rows + <usize>at * rowBytes, held, rowBytes);
    v128.store(facts + (<usize>at << 4), fact);
  }
}

/** Joins all pairs of rows of each leaf. The items are leaves; the rows of leaf l are forest[l] to forest[l + 1] - 1. */
export function leaves(from: i32, to: i32, _: i32): void {
  for (let leaf = from; leaf < to; leaf++) {
    const low = load<i32>(forest + (<usize>leaf << 2));
    const high = load<i32>(forest + (<usize>leaf << 2), 4);
    for (let id = low; id < high; id++) gather(id - low, id);
    joinAll(high - low);
  }
}

/** Adds a candidate to a row's list if its hash is among the smallest. */
function propose(lists: usize, counts: usize, row: i32, key: u64): void {
  const base = lists + ((<usize>row * <usize>most) << 3);
  const countAt = counts + (<usize>row << 2);
  if (load<i32>(countAt) == most && key >= load<u64>(base + ((<usize>most - 1) << 3))) return; // lists only get better
  lock(row);
  const count = load<i32>(countAt);
  const full = count == most;
  let at = base + ((<usize>count - (full ? 1 : 0)) << 3);
  if (!full || key < load<u64>(at)) {
    const end = at;
    while (at > base && load<u64>(at - 8) > key) at -= 8;
    if (!(at > base && load<u64>(at - 8) == key)) {
      memory.copy(at + 8, at, end - at);
      store<u64>(at, key);
      if (!full) store<i32>(countAt, count + 1);
    }
  }
  unlock(row);
}

/** Proposes each fresh entry as a candidate to both of its rows, and counts them. The value is the round. */
export function fresh(from: i32, to: i32, round: i32): void {
  atomic.add<i32>(wordAt(FRESH), sample(from, to, round, freshLists, freshCounts, 0));
}

/** Proposes each old entry to those of its rows that have fresh candidates. Runs after `fresh`, with the same round. */
export function old(from: i32, to: i32, round: i32): void {
  sample(from, to, round, oldLists, oldCounts, 1);
}

/** Proposes the entries whose mark is `isOld`. @returns the number of entries proposed to any row */
function sample(from: i32, to: i32, round: i32, lists: usize, counts: usize, isOld: i32): i32 {
  const salt = mix64(seed ^ (<u64>(round + 1) << 40));
  let count = 0;
  for (let i = from; i < to; i++) {
    const isActive = !isOld || load<i32>(freshCounts + (<usize>i << 2)) > 0;
    let at = graph + ((<usize>i * <usize>width) << 3);
    for (const end = at + (<usize>width << 3); at < end; at += 8) {
      const key = load<u64>(at);
      if (key == empty) break;
      if ((<i32>key & 1) != isOld) continue;
      const j = <i32>((<u32>key) >> 1);
      const isOtherActive = !isOld || load<i32>(freshCounts + (<usize>j << 2)) > 0;
      if (!isActive && !isOtherActive) continue;
      const hash = mix64(salt ^ (<u64>min(i, j) << 32) ^ <u64>max(i, j)) & 0xffffffff00000000;
      if (isActive) propose(lists, counts, i, hash | <u64>j);
      if (isOtherActive) propose(lists, counts, j, hash | <u64>i);
      count++;
    }
  }
  return count;
}

/** Joins the candidates of each row: fresh ones with fresh and with old ones. */
export function join(from: i32, to: i32, _: i32): void {
  for (let i = from; i < to; i++) {
    const freshCount = load<i32>(freshCounts + (<usize>i << 2));
    if (freshCount == 0) continue;
    const oldCount = load<i32>(oldCounts + (<usize>i << 2));
    let at = oldLists + ((<usize>i * <usize>most) << 3);
    for (let c = 0; c < oldCount; c++, at += 8) gather(c, <i32>load<u32>(at));
    at = freshLists + ((<usize>i * <usize>most) << 3);
    for (let c = 0; c < freshCount; c++, at += 8) gather(oldCount + c, <i32>load<u32>(at));
    for (let c = 0; c < freshCount; c++) joinOne(oldCount + c, oldCount + c);
  }
}

/** Marks the entries that are fresh candidates as old. Runs before the joins of the round. */
export function age(from: i32, to: i32, _: i32): void {
  for (let i = from; i < to; i++) {
    const count = load<i32>(freshCounts + (<usize>i << 2));
    if (count == 0) continue;
    const candidates = freshLists + ((<usize>i * <usize>most) << 3);
    let at = graph + ((<usize>i * <usize>width) << 3);
    for (const end = at + (<usize>width << 3); at < end; at += 8) {
      const key = load<u64>(at);
      if (key == empty) break;
      if (<i32>key & 1) continue;
      for (let c = 0; c < count; c++) {
        if (load<u32>(candidates + (<usize>c << 3)) == (<u32>key) >> 1) {
          store<u64>(at, key | 1);
          break;
        }
      }
    }
  }
}

/**
 * Finds the pairs of a query and a row whose value is at most the query's limit, and appends them to `hits`, up to `mostHits`; the
 * count includes all. The value is the number of queries.
 */
export function check(from: i32, to: i32, count: i32): void {
  for (let id = from; id < to; id++) gather(id - from, id);
  const end = to - from;
  for (let query = 0; query < count; query++) {
    const own = load<i32>(queries + (<usize>query << 2));
    const p = rows + <usize>own * rowBytes;
    const scale = f32x4.splat(scaleOf(own));
    const half = f32x4.splat(halfOf(own));
    const limit = f32x4.splat(load<f32>(limits + (<usize>query << 2)));
    for (let b = 0; b < end; b += 4) {
      let near = i32x4.bitmask(f32x4.le(valuesOfFour(p, scale, half, b, end - 1), limit));
      if (b + 4 > end) near &= (1 << (end - b)) - 1;
      for (; near; near &= near - 1) {
        const id = from + b + ctz(near);
        if (id == own) continue;
        const index = atomic.add<i32>(wordAt(HITS), 1);
        if (index >= mostHits) continue;
        store<i32>(hits + (<usize>index << 3), query);
        store<i32>(hits + (<usize>index << 3), id, 4);
      }
    }
  }
}
