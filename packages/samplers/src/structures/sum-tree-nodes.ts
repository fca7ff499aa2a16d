// The loops of the sum tree. Leaves are weights in groups of 16. Each node has 16 children, which are groups of leaves or nodes
// of the level below. `sums` holds the sum of each child, and `before` the sum of the children before it in its node, so that a
// draw reads half as much as an update. Both arrays store all levels, the root's first, after 16 numbers of which only the first
// is used: `sums[0]` is the total. `levels` holds the start of each level, and `ends` the end of its last child; `before` is
// infinite from there.
//
// With 16 children, a million weights take five levels; a binary tree takes twenty, each a cache miss. Constants are written as
// literals, because bundlers turn a module constant into a variable, which halves the speed of these loops. So do indices without
// `| 0`, because each addition is then checked for overflow.

export interface Nodes {
  readonly sums: Float64Array;
  readonly before: Float64Array;
  readonly levels: readonly number[];
  readonly ends: readonly number[];
}

/** The position whose share of the cumulative weights contains `remaining`, which is in [0, total). */
export function findOne(leaves: Float64Array, { before, levels }: Nodes, remaining: number): number {
  let rest = remaining;
  let child = 0;
  for (const start of levels) {
    const found = childAt(before, (start + (child << 4)) | 0, rest);
    rest -= before[found]!;
    child = found - start;
  }
  return leafAt(leaves, child << 4, rest);
}

/**
 * The same for many uniforms, level by level for 256 draws at a time: the cache misses of different draws overlap, while those of
 * one draw wait for each other. The leaves of 256 draws fit in the first-level cache. Overwrites `uniforms` with the weights of
 * the draws.
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
  for (let draw = 0; draw < count; draw++) uniforms[draw] = uniforms[draw]! * total; // weight that the draw still has to pass
  positions.fill(0); // the child to enter
  for (const start of levels) {
    for (let draw = 0; draw < count; draw++) {
      const remaining = uniforms[draw]!;
      const child = childAt(before, (start + (positions[draw]! << 4)) | 0, remaining);
      uniforms[draw] = remaining - before[child]!;
      positions[draw] = (child - start) | 0;
    }
  }
  if (touch(leaves, positions) < 0) return; // never happens; uses the sum
  for (let draw = 0; draw < count; draw++) {
    const position = leafAt(leaves, positions[draw]! << 4, uniforms[draw]!);
    positions[draw] = position;
    uniforms[draw] = leaves[position]!;
  }
}

/**
 * Loads the groups that the draws have reached into the cache, up to three lines each, without waiting for the loads. Halves the
 * time if the leaves are in main memory. Returns a sum, because the compiler would remove loads whose values are not used.
 */
function touch(leaves: Float64Array, groups: Int32Array): number {
  let sum = 0;
  for (let draw = 0; draw < groups.length; draw++) {
    const first = groups[draw]! << 4;
    sum += leaves[first]! + leaves[(first + 8) | 0]! + leaves[(first + 15) | 0]!;
  }
  return sum;
}

/** Recomputes the sums above these positions, level by level; a level with fewer nodes than positions is recomputed whole. */
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
    for (let at = ends[level]!; at < end; at++) before[at] = Infinity; // at most 15 times
  }
}

/**
 * The child of the node at `node` that contains `remaining`: the last one with at most that sum before it. Without branches,
 * because a branch on a random number is mispredicted half of the time.
 */
function childAt(before: Float64Array, node: number, remaining: number): number {
  let child = (node + (Number(before[(node + 8) | 0]! <= remaining) << 3)) | 0;
  child = (child + (Number(before[(child + 4) | 0]! <= remaining) << 2)) | 0;
  child = (child + (Number(before[(child + 2) | 0]! <= remaining) << 1)) | 0;
  return (child + Number(before[(child + 1) | 0]! <= remaining)) | 0;
}

/** The position that contains `remaining` among the 16 weights from `first` on. Without branches, as above. */
function leafAt(leaves: Float64Array, first: number, remaining: number): number {
  let rest = remaining;
  let passed = 0;
  for (let leaf = 0; leaf < 15; leaf++) {
    rest -= leaves[(first + leaf) | 0]!;
    passed = (passed + Number(rest >= 0)) | 0;
  }
  let position = (first + passed) | 0;
  while (leaves[position] === 0) position--; // only if rounding put it past the last weight above 0
  return position;
}

/** Cumulates the sums of a node, four at a time so that additions overlap. Returns the sum of all. */
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
