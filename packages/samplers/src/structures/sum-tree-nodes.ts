// The loops of the sum tree. Leaves are weights in groups of 16. A node has 16 children, groups of leaves or nodes of the level
// below; `sums` holds what each child sums up to, and `before` what the children before it in its node do, so that a draw reads half
// of what an update does. Both have all levels, the root's first, after 16 numbers of which only the first is used: `sums[0]` is the
// total. `levels` says where each level starts, and `ends` where its last child ends; from there on `before` is infinite.
//
// Sixteen children make five levels for a million weights, where a binary tree has twenty, each a cache miss. Numbers are written out
// because bundlers turn a constant of a module into a variable, which makes these loops half as fast; so do indices without `| 0`,
// whose every addition is checked for overflow.

export interface Nodes {
  readonly sums: Float64Array;
  readonly before: Float64Array;
  readonly levels: readonly number[];
  readonly ends: readonly number[];
}

/** The position that holds `remaining` of the total. */
export function findOne(leaves: Float64Array, { before, levels }: Nodes, remaining: number): number {
  let rest = remaining;
  let child = 0;
  for (const start of levels) {
    const at = childAt(before, (start + (child << 4)) | 0, rest);
    rest -= before[at]!;
    child = at - start;
  }
  return leafAt(leaves, child << 4, rest);
}

/**
 * The same for many, one level after the other for 256 of them at a time: the cache misses of different draws overlap, those of one
 * draw, each waiting for the one above, cannot. The leaves of so many fit in the nearest cache. Leaves the weights in `uniforms`.
 */
export function findAll(leaves: Float64Array, nodes: Nodes, uniforms: Float64Array, positions: Int32Array): void {
  for (let first = 0; first < positions.length; first += 256) {
    findBlock(leaves, nodes, uniforms.subarray(first, first + 256), positions.subarray(first, first + 256));
  }
}

function findBlock(leaves: Float64Array, nodes: Nodes, uniforms: Float64Array, positions: Int32Array): void {
  const { sums, before, levels } = nodes;
  const count = positions.length;
  const total = sums[0]!;
  for (let draw = 0; draw < count; draw++) uniforms[draw] = uniforms[draw]! * total; // what remains to be passed
  positions.fill(0); // the child to enter
  for (const start of levels) {
    for (let draw = 0; draw < count; draw++) {
      const remaining = uniforms[draw]!;
      const at = childAt(before, (start + (positions[draw]! << 4)) | 0, remaining);
      uniforms[draw] = remaining - before[at]!;
      positions[draw] = (at - start) | 0;
    }
  }
  if (touch(leaves, positions) < 0) return; // never
  for (let draw = 0; draw < count; draw++) {
    const position = leafAt(leaves, positions[draw]! << 4, uniforms[draw]!);
    positions[draw] = position;
    uniforms[draw] = leaves[position]!;
  }
}

/**
 * Brings the groups that the draws have come to into the cache, up to three lines each: nothing waits for these loads. Half of the
 * time where the leaves lie in memory. The sum is there for the compiler, which would leave out loads of no use.
 */
function touch(leaves: Float64Array, groups: Int32Array): number {
  let sum = 0;
  for (let draw = 0; draw < groups.length; draw++) {
    const first = groups[draw]! << 4;
    sum += leaves[first]! + leaves[(first + 8) | 0]! + leaves[(first + 15) | 0]!;
  }
  return sum;
}

/** Recomputes what stands above these positions, one level after the other for all of them, or the whole level if that is less. */
export function refresh(leaves: Float64Array, { sums, before, levels, ends }: Nodes, positions: Int32Array): void {
  const count = positions.length;
  const bottom = levels[levels.length - 1]!;
  for (let index = 0; index < count; index++) {
    const group = positions[index]! >> 4;
    sums[(bottom + group) | 0] = sumOfLeaves(leaves, group << 4);
  }
  for (let level = levels.length - 1, shift = 8; level >= 0; level--, shift += 4) {
    const start = levels[level]!;
    const above = level > 0 ? levels[level - 1]! : 0;
    const end = levels[level + 1] ?? sums.length;
    const nodes = (end - start) >> 4;
    const isWhole = nodes < count;
    const steps = isWhole ? nodes : count;
    for (let step = 0; step < steps; step++) {
      const node = isWhole ? step : positions[step]! >> shift;
      sums[(above + node) | 0] = cumulate(sums, before, (start + (node << 4)) | 0);
    }
    for (let at = ends[level]!; at < end; at++) before[at] = Infinity; // no more than 15
  }
}

/**
 * The child, of the node at `node`, that holds `remaining`: the last one with no more than that before it. No branches: one that
 * depends on a random number is guessed wrong every other time.
 */
function childAt(before: Float64Array, node: number, remaining: number): number {
  let at = (node + (Number(before[(node + 8) | 0]! <= remaining) << 3)) | 0;
  at = (at + (Number(before[(at + 4) | 0]! <= remaining) << 2)) | 0;
  at = (at + (Number(before[(at + 2) | 0]! <= remaining) << 1)) | 0;
  return (at + Number(before[(at + 1) | 0]! <= remaining)) | 0;
}

/** The position, among the 16 weights from `first` on, that holds `remaining`. No branches, as above. */
function leafAt(leaves: Float64Array, first: number, remaining: number): number {
  let rest = remaining;
  let passed = 0;
  for (let leaf = 0; leaf < 15; leaf++) {
    rest -= leaves[(first + leaf) | 0]!;
    passed = (passed + Number(rest >= 0)) | 0;
  }
  let position = (first + passed) | 0;
  while (leaves[position] === 0) position--; // only when rounding left it at the very end, where there may be nothing
  return position;
}

/** Cumulates the sums of a node, four at a time so that additions need not wait for each other; returns the sum of all. */
export function cumulate(sums: Float64Array, before: Float64Array, node: number): number {
  let sum = 0;
  for (let at = node, end = (node + 16) | 0; at < end; at = (at + 4) | 0) {
    const a = sums[at]!;
    const b = a + sums[(at + 1) | 0]!;
    const c = b + sums[(at + 2) | 0]!;
    const d = c + sums[(at + 3) | 0]!;
    before[at] = sum;
    before[(at + 1) | 0] = sum + a;
    before[(at + 2) | 0] = sum + b;
    before[(at + 3) | 0] = sum + c;
    sum += d;
  }
  return sum;
}

export function sumOfLeaves(leaves: Float64Array, first: number): number {
  let sum = 0;
  for (let at = first, end = (first + 16) | 0; at < end; at = (at + 4) | 0) {
    sum += leaves[at]! + leaves[(at + 1) | 0]! + (leaves[(at + 2) | 0]! + leaves[(at + 3) | 0]!);
  }
  return sum;
}
