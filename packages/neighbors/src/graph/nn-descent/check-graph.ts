import type { MeasuredRecall, Metric, Neighbors, TimeSlices } from '@rarefy/core';
import { type DescentMemory, descentWords, mostHits, mostQueries, roundingOf } from '@rarefy/neighbors-wasm';
import { canonicalDistance, type Rows } from '../../distance/canonical-distance.js';
import { countFound } from '../../recall/report-recall.js';
import type { RowReader } from '../../rows/row-reader.js';
import { gatherRows } from '../../rows/rows.js';
import { sampleRows } from '../../rows/sample-rows.js';
import type { Crew } from '../../workers/crew.js';
import { phaseOf } from '../../workers/phases.js';
import type { ScannedRows } from '../scan-rows.js';

/** A graph, with the quantized rows that it was built from. */
export interface CheckedGraph {
  readonly neighbors: Neighbors;
  readonly reader: RowReader;
  readonly scanned: ScannedRows;
  readonly layout: DescentMemory;
  readonly crew: Crew;
  /** The row at each position. */
  readonly rowAt: Int32Array;
  readonly metric: Metric;
  /** The factor that rows were multiplied by before they were quantized. */
  readonly unit: number;
}

/**
 * Measures recall with the same result as `measureRecall`, but faster. The true neighbors of a sampled row are found in two steps:
 * 1. A pass over the quantized rows finds its near rows: those that may be as near as the last neighbor in its list.
 * 2. The canonical distances of the near rows give the distance of the true k-th neighbor.
 *
 * If a row has more near rows than the memory can hold, none of its neighbors counts as found.
 */
export async function checkGraph(
  graph: CheckedGraph,
  sample: number,
  seed: number,
  slices: TimeSlices,
): Promise<MeasuredRecall> {
  const { neighbors, metric } = graph;
  const k = Math.min(neighbors.k, neighbors.rows - 1);
  const sampled = sampleRows(neighbors.rows, sample, seed);
  const positionOf = new Int32Array(neighbors.rows);
  for (const [position, row] of graph.rowAt.entries()) positionOf[row] = position;
  let found = 0;
  for (let start = 0; start < sampled.length; ) {
    const { batch, near } = await nearRowsOfBatch(graph, sampled.subarray(start, start + mostQueries), k, positionOf);
    start += batch.length;
    if (!near) continue;
    const gathered = await gather(graph, batch, near, slices);
    for (const [query, row] of batch.entries()) {
      const farthest = trueFarthest(graph, row, near[query]!, gathered, k);
      found += countFound(neighbors, row, k, farthest, metric);
      if (slices.due()) await slices.pause();
    }
  }
  return { value: found / (sampled.length * k), sampledRows: sampled.length };
}

/** The near rows of as many of the sampled rows as fit into the memory; undefined if those of a single row do not. */
async function nearRowsOfBatch(
  graph: CheckedGraph,
  sampled: Int32Array,
  k: number,
  positionOf: Int32Array,
): Promise<{ readonly batch: Int32Array; readonly near: number[][] | undefined }> {
  for (let size = sampled.length; ; size = Math.ceil(size / 2)) {
    const batch = sampled.subarray(0, size);
    const near = await nearRows(graph, batch, k, positionOf);
    if (near || size === 1) return { batch, near };
  }
}

/** The near rows of each sampled row, one per group of equal rows; undefined if they do not fit into the memory. */
async function nearRows(
  graph: CheckedGraph,
  sampled: Int32Array,
  k: number,
  positionOf: Int32Array,
): Promise<number[][] | undefined> {
  const { scanned, layout, crew, rowAt } = graph;
  const { buffer } = layout.memory;
  const words = new Int32Array(buffer, layout.wordsAt, 16);
  const queries = Int32Array.from(sampled, (row) => positionOf[scanned.heads[row]!]!);
  new Int32Array(buffer, layout.queries, sampled.length).set(queries);
  new Float32Array(buffer, layout.limits, sampled.length).set(limitsOf(graph, sampled, queries, k));
  Atomics.store(words, descentWords.hits, 0);
  await crew.run(phaseOf('check', { items: layout.rows, taskItems: 256, value: sampled.length }));
  const count = Atomics.load(words, descentWords.hits);
  if (count > mostHits) return undefined;
  const pairs = new Int32Array(buffer, layout.hits, 2 * count);
  const near: number[][] = Array.from(sampled, () => []);
  for (let pair = 0; pair < count; pair++) near[pairs[2 * pair]!]!.push(rowAt[pairs[2 * pair + 1]!]!);
  return near;
}

/** For each sampled row the quantized value of its last neighbor, raised by the largest possible rounding error. */
function limitsOf(
  { neighbors, layout, metric, unit }: CheckedGraph,
  sampled: Int32Array,
  queries: Int32Array,
  k: number,
): Float32Array {
  const facts = new Float32Array(layout.memory.buffer, layout.facts, 4 * layout.rows);
  let largestScale = 0;
  for (let position = 0; position < layout.rows; position++) {
    largestScale = Math.max(largestScale, facts[4 * position]!);
  }
  const rounding = roundingOf(layout.cols);
  return Float32Array.from(sampled, (row, query) => {
    const distance = neighbors.distances[row * neighbors.k + k - 1]!;
    const value = quantizedValue(metric, distance, unit);
    const scale = facts[4 * queries[query]!]!;
    const ofInt16 = scale * largestScale * rounding;
    const ofFloat32 = 2 ** -20 * (46001 * (scale + largestScale)) ** 2 + 1e-6 * Math.abs(value);
    return value + ofInt16 + ofFloat32;
  });
}

/** The value that the quantized rows have at a distance. */
function quantizedValue(metric: Metric, distance: number, unit: number): number {
  if (metric === 'euclidean') return (distance * unit) ** 2 / 2;
  return metric === 'cosine' ? distance : distance * unit * unit;
}

interface GatheredRows {
  readonly rows: Rows;
  /** Index in `rows` of a row. */
  readonly indexOf: ReadonlyMap<number, number>;
}

/** Reads the sampled rows and their near rows. */
async function gather(
  { reader, scanned }: CheckedGraph,
  sampled: Int32Array,
  near: readonly (readonly number[])[],
  slices: TimeSlices,
): Promise<GatheredRows> {
  const wanted = new Set(near.flat());
  for (const row of sampled) wanted.add(scanned.heads[row]!);
  const order = Int32Array.from(wanted).sort();
  const rows = await gatherRows(reader, order, scanned.squares, slices);
  return { rows, indexOf: new Map(Array.from(order, (row, index) => [row, index])) };
}

/** Distance of a row's true k-th neighbor; +Infinity if it has fewer. @param near its near rows, one per group of equal rows */
function trueFarthest(
  { scanned, metric }: CheckedGraph,
  row: number,
  near: readonly number[],
  { rows, indexOf }: GatheredRows,
  k: number,
): number {
  const { heads, next } = scanned;
  const own = indexOf.get(heads[row]!)!;
  const distances: number[] = [];
  for (const head of [heads[row]!, ...near]) {
    const distance = canonicalDistance[metric](rows, own, rows, indexOf.get(head)!);
    for (let member = head, left = k + 1; member >= 0 && left > 0; member = next[member]!, left--) {
      if (member !== row) distances.push(distance);
    }
  }
  distances.sort((a, b) => a - b);
  return distances[k - 1] ?? Number.POSITIVE_INFINITY;
}
