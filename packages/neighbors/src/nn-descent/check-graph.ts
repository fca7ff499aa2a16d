import type { MeasuredRecall, Metric, Neighbors } from '@rarefy/core';
import { canonicalDistance } from '../exact/canonical-distance.js';
import type { RowReader } from '../exact/join/row-reader.js';
import type { Rows } from '../exact/rows.js';
import type { TimeSlices } from '../exact/time-slices.js';
import { sampleRows } from '../recall/sample-rows.js';
import { phaseOf } from './descend.js';
import type { DescentCrew } from './descent-crew.js';
import { control, type DescentMemory, mostHits, mostQueries, roundingOf } from './descent-memory.js';
import type { ScannedRows } from './scan-rows.js';

/** What the check of a graph looks at. */
export interface CheckedGraph {
  readonly neighbors: Neighbors;
  readonly reader: RowReader;
  readonly scanned: ScannedRows;
  readonly place: DescentMemory;
  readonly crew: DescentCrew;
  /** The row at each position. */
  readonly rowAt: Int32Array;
  readonly metric: Metric;
  /** What the rows were multiplied by before they became integers. */
  readonly unit: number;
}

/**
 * Measures recall as `measureRecall` does, quicker: all rows are compared as integers, and those that can be nearer than a row's
 * last neighbour by the canonical distance. A row for which too many can be is taken to have no neighbour found.
 */
export async function checkGraph(
  graph: CheckedGraph,
  sample: number,
  seed: number,
  slices: TimeSlices,
): Promise<MeasuredRecall> {
  const { neighbors, rowAt } = graph;
  const k = Math.min(neighbors.k, neighbors.rows - 1);
  const rows = sampleRows(neighbors.rows, sample, seed);
  const positionOf = new Int32Array(neighbors.rows);
  rowAt.forEach((row, position) => {
    positionOf[row] = position;
  });
  let found = 0;
  for (let start = 0; start < rows.length; ) {
    let end = Math.min(start + mostQueries, rows.length);
    let hits = await rowsWithin(graph, rows.subarray(start, end), k, positionOf);
    while (!hits && end - start > 1) {
      end = start + Math.ceil((end - start) / 2);
      hits = await rowsWithin(graph, rows.subarray(start, end), k, positionOf);
    }
    if (hits) {
      const needed = await gatherRows(graph, rows.subarray(start, end), hits, slices);
      for (let at = start; at < end; at++) {
        found += foundNeighbors(graph, rows[at]!, hits[at - start]!, needed, k);
        if (slices.due()) await slices.pause();
      }
    }
    start = end;
  }
  return { value: found / (rows.length * k), sampledRows: rows.length };
}

/** For each row the first rows of groups that may be as near as its last neighbour; undefined when they are too many to hold. */
async function rowsWithin(
  { neighbors, scanned, place, crew, rowAt, metric, unit }: CheckedGraph,
  sampled: Int32Array,
  k: number,
  positionOf: Int32Array,
): Promise<number[][] | undefined> {
  const { memory, facts, cols } = place;
  const words = new Int32Array(memory.buffer, place.control, 16);
  const fact = new Float32Array(memory.buffer, facts, 4 * place.rows);
  let largestScale = 0;
  for (let position = 0; position < place.rows; position++) largestScale = Math.max(largestScale, fact[4 * position]!);
  const queries = new Int32Array(memory.buffer, place.queries, sampled.length);
  const limits = new Float32Array(memory.buffer, place.limits, sampled.length);
  sampled.forEach((row, at) => {
    const position = positionOf[scanned.heads[row]!]!;
    const farthest = neighbors.distances[row * neighbors.k + k - 1]!;
    const value =
      metric === 'euclidean' ? (farthest * unit) ** 2 / 2 : metric === 'cosine' ? farthest : farthest * unit * unit;
    const scale = fact[4 * position]!;
    const error = scale * largestScale * roundingOf(cols);
    const rounding = 2 ** -20 * (46001 * (scale + largestScale)) ** 2 + 1e-6 * Math.abs(value); // of float32
    queries[at] = position;
    limits[at] = Math.fround(value + error + rounding);
  });
  Atomics.store(words, control.hits, 0);
  await crew.run(phaseOf('check', place.rows, 256, sampled.length));
  const count = Atomics.load(words, control.hits);
  if (count > mostHits) return undefined;
  const pairs = new Int32Array(memory.buffer, place.hits, 2 * count);
  const hits: number[][] = Array.from(sampled, () => []);
  for (let at = 0; at < count; at++) hits[pairs[2 * at]!]!.push(rowAt[pairs[2 * at + 1]!]!);
  return hits;
}

/** The sampled rows and those within their reach, by row. */
async function gatherRows(
  { reader, scanned, place }: CheckedGraph,
  sampled: Int32Array,
  hits: readonly (readonly number[])[],
  slices: TimeSlices,
): Promise<{ readonly rows: Rows; readonly at: ReadonlyMap<number, number> }> {
  const wanted = new Set<number>();
  sampled.forEach((row, query) => {
    wanted.add(scanned.heads[row]!);
    for (const hit of hits[query]!) wanted.add(hit);
  });
  const order = [...wanted].sort((a, b) => a - b);
  const { stride } = place;
  const data = new Float32Array(order.length * stride);
  const at = new Map<number, number>();
  for (const [index, row] of order.entries()) {
    await reader.copy(row, row + 1, data.subarray(index * stride), stride, slices);
    at.set(row, index);
  }
  const squaredNorms = Float64Array.from(order, (row) => scanned.squares[row]!);
  return { rows: { data, squaredNorms, rows: order.length, cols: reader.cols, stride }, at };
}

/** How many of a row's neighbours are as near as its true k-th one. */
function foundNeighbors(
  { neighbors, scanned, metric }: CheckedGraph,
  row: number,
  hits: readonly number[],
  { rows, at }: Awaited<ReturnType<typeof gatherRows>>,
  k: number,
): number {
  const distance = canonicalDistance[metric];
  const head = scanned.heads[row]!;
  const own = at.get(head)!;
  const near: number[] = [];
  const add = (value: number, first: number, except: number) => {
    for (let member = first, left = k + 1; member >= 0 && left > 0; member = scanned.next[member]!, left--) {
      if (member !== except) near.push(value);
    }
  };
  add(distance(rows, own, rows, own), head, row);
  for (const hit of hits) add(distance(rows, own, rows, at.get(hit)!), hit, -1);
  near.sort((a, b) => a - b);
  const farthest = near[k - 1] ?? Number.POSITIVE_INFINITY;
  const limit = farthest + 1e-6 * (metric === 'cosine' ? 1 : Math.abs(farthest));
  let found = 0;
  for (let rank = 0; rank < k; rank++) {
    const cell = row * neighbors.k + rank;
    if (neighbors.ids[cell]! >= 0 && neighbors.distances[cell]! <= limit) found++;
  }
  return found;
}
