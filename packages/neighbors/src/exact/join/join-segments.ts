import type { Metric, TimeSlices } from '@rarefy/core';
import { type JoinMemory, type JoinParameters, joinWords, residualUnit } from '@rarefy/neighbors-wasm';
import { areEqual, groupByHash, type RowGroups } from '../../rows/equal-rows.js';
import type { RowReader } from '../../rows/row-reader.js';
import { notFiniteRow } from '../../rows/rows.js';
import type { Crew } from '../../workers/crew.js';
import { phaseOf } from '../../workers/phases.js';
import { orderByNorm } from './order-by-norm.js';

/** Rows [start, end). */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** The rows of one side of a join, with what is known of them so far. */
export interface JoinSide {
  readonly reader: RowReader;
  readonly groups: RowGroups;
  /** x · x of each row; float64 [rows]. */
  readonly squared: Float64Array;
  /** The nearest k so far of each row, as in {@link JoinMemory.lists}; undefined if the side gets no neighbors. */
  readonly lists?: Uint32Array | undefined;
}

/** A segment that was read into one half of the memory. */
export interface LoadedSegment {
  readonly side: JoinSide;
  readonly segment: Segment;
  /** Its first row in the memory. */
  readonly first: number;
  readonly rows: number;
}

/** What computes a join. */
export interface JoinTools {
  readonly memory: JoinMemory;
  readonly crew: Crew;
  readonly slices: TimeSlices;
}

/**
 * Reads rows into a half of the memory, with their hashes and squares.
 * @throws NotFiniteError naming the first row with NaN or infinity.
 */
export async function readSegment(
  tools: JoinTools,
  side: JoinSide,
  segment: Segment,
  half: 0 | 1,
): Promise<LoadedSegment> {
  const { memory, slices } = tools;
  const { stride, x, ids } = memory;
  const { start, end } = segment;
  const loaded = { side, segment, first: half * memory.rows[0], rows: end - start };
  await side.reader.copy(start, end, x.subarray(loaded.first * stride), stride, slices);
  for (let row = 0; row < loaded.rows; row++) ids[loaded.first + row] = start + row;
  Atomics.store(memory.words, joinWords.bad, noBadRow);
  await rowPhase(tools, 'scan', loaded);
  const bad = Atomics.load(memory.words, joinWords.bad);
  if (bad === noBadRow) return loaded;
  const values = x.subarray(bad * stride, bad * stride + side.reader.cols);
  throw notFiniteRow(values, bad - loaded.first + start, side.reader.name);
}

/** Finds the equal rows of a segment, and keeps the squares of its rows. Once per segment. */
export async function groupSegment(
  { memory, slices }: JoinTools,
  { side, segment, first, rows }: LoadedSegment,
): Promise<void> {
  const { stride } = memory;
  side.squared.set(memory.squared.subarray(first, first + rows), segment.start);
  const data = memory.x.subarray(first * stride, (first + rows) * stride);
  const hashes = memory.hashes.subarray(4 * first, 4 * (first + rows));
  const isEqual = (i: number, j: number) => areEqual(data, i * stride, data, j * stride, stride);
  await groupByHash(side.groups, segment.start, rows, hashes, isEqual, slices);
}

/**
 * Joins a segment with itself, or two segments with each other, and updates the lists of their sides.
 * @param onTasks receives the number of finished tasks, and of all tasks
 * @returns the number of rows that were compared with all others by their distance, because the bound left too many candidates
 */
export async function joinSegments(
  tools: JoinTools,
  segments: readonly [LoadedSegment, LoadedSegment?],
  onTasks: (done: number, tasks: number) => void,
): Promise<number> {
  const { memory, crew, slices } = tools;
  const { metric, blockRows } = memory;
  const [first, second] = segments;
  const loaded = second ? [first, second] : [first];
  memory.center.set(centerOf(memory, loaded));
  if (metric !== 'cosine') for (const segment of loaded) await rowPhase(tools, 'measure', segment);

  const split = setPositions(memory, first, 0);
  const positions = second ? setPositions(memory, second, split) : split;
  const { unit, largest } = scaleOf(metric, largestNorm(memory, positions));
  for (let column = 0; column < memory.center.length; column++) memory.center[column]! *= unit;
  const centerNorm = Math.sqrt(memory.center.reduce((sum, value) => sum + value * value, 0));
  const parameters = { split, positions, isMutual: second?.side.lists !== undefined, unit, largest, centerNorm };
  await copyLists(memory, 'in', first.side, 0, split, slices);
  if (second) await copyLists(memory, 'in', second.side, split, positions, slices);

  const { words } = memory;
  for (const word of [joinWords.residual, joinWords.scans, joinWords.pool]) Atomics.store(words, word, 0);
  const blocks = { items: positions, taskItems: blockRows };
  memory.setParameters({ ...parameters, bound: 0 });
  await crew.run(phaseOf('quantize', blocks));
  memory.setParameters(withBound(parameters, Atomics.load(words, joinWords.residual) * residualUnit));
  const pairs = blockPairs(split / blockRows, positions / blockRows);
  await crew.run(phaseOf('join', { items: pairs, taskItems: 1 }), (done) => onTasks(done, pairs));
  await crew.run(phaseOf('rank', blocks));

  await copyLists(memory, 'out', first.side, 0, split, slices);
  if (second) await copyLists(memory, 'out', second.side, split, positions, slices);
  return Atomics.load(words, joinWords.scans);
}

const noBadRow = 2 ** 31 - 1;

/** Number of pairs of blocks [0, split) with blocks [split, blocks), or of all blocks with each other if `split` is `blocks`. */
function blockPairs(split: number, blocks: number): number {
  return split < blocks ? split * (blocks - split) : (blocks * (blocks + 1)) / 2;
}

/** A phase over the rows of a loaded segment. */
async function rowPhase({ memory, crew }: JoinTools, name: 'scan' | 'measure', { first, rows }: LoadedSegment) {
  const taskItems = Math.max(1, Math.floor(2 ** 17 / memory.stride));
  await crew.run(phaseOf(name, { start: first, items: rows, taskItems }));
}

/** The int16 products of two rows differ from the true product by at most this share of their norms. @param residual of one row */
function withBound(parameters: Omit<JoinParameters, 'bound'>, residual: number): JoinParameters {
  return { ...parameters, bound: (2 * residual + residual * residual) * 1.0001 };
}

/** Assigns positions from `from` on to the distinct rows of a segment. Returns the position after its last block. */
function setPositions(memory: JoinMemory, { side, segment, first, rows }: LoadedSegment, from: number): number {
  const { heads } = side.groups;
  const distinct = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (heads[segment.start + row] === segment.start + row) distinct[count++] = first + row;
  }
  const used = distinct.subarray(0, count);
  const end = from + Math.ceil(count / memory.blockRows) * memory.blockRows;
  memory.rowAt.set(memory.metric === 'cosine' ? used : orderByNorm(used, memory.centered), from);
  memory.rowAt.fill(-1, from + count, end);
  return end;
}

/** The largest norm of the rows at positions [0, positions): of their differences from the center for `euclidean`. */
function largestNorm({ metric, rowAt, centered, squared }: JoinMemory, positions: number): number {
  const norms = metric === 'euclidean' ? centered : squared;
  let largest = 0;
  for (const row of rowAt.subarray(0, positions)) if (row >= 0) largest = Math.max(largest, norms[row]!);
  return Math.sqrt(largest);
}

/** A power of two that brings the largest norm near 1, so that float32 neither overflows nor underflows. */
function scaleOf(metric: Metric, largest: number): { readonly unit: number; readonly largest: number } {
  if (metric === 'cosine') return { unit: 1, largest };
  const unit = largest > 0 ? 2 ** -Math.floor(Math.log2(largest)) : 1;
  return { unit, largest: largest * unit * 1.001 };
}

/** Copies the lists of the rows at positions [from, to) into the memory, or out of it. */
async function copyLists(
  { k, rowAt, ids, lists: inMemory }: JoinMemory,
  direction: 'in' | 'out',
  { lists }: JoinSide,
  from: number,
  to: number,
  slices: TimeSlices,
): Promise<void> {
  if (!lists) return;
  for (let position = from; position < to; position++) {
    if (position % 4096 === 0 && slices.due()) await slices.pause();
    const row = rowAt[position]!;
    if (row < 0) continue;
    const list = inMemory.subarray(2 * k * position, 2 * k * (position + 1));
    const start = 2 * k * ids[row]!;
    if (direction === 'out') lists.set(list, start);
    else list.set(lists.subarray(start, start + 2 * k));
  }
}

/** Most numbers that the center is computed from. */
const centerNumbers = 2 ** 21;

/**
 * The center is subtracted from all rows, which makes their norms and with them the bound small. Any center gives the right result.
 * This one is the mean of a sample, without the rows of more than twice its median norm; for `cosine`, of the rows at length 1.
 */
function centerOf({ metric, stride, x, squared }: JoinMemory, segments: readonly LoadedSegment[]): Float64Array {
  const sample: number[] = [];
  const most = Math.max(16, Math.floor(centerNumbers / stride));
  for (const { first, rows } of segments) {
    const step = Math.max(1, (rows * segments.length) / most);
    for (let row = 0; row < rows; row += step) sample.push(first + Math.floor(row));
  }
  const median = sample.map((row) => squared[row]!).sort((a, b) => a - b)[sample.length >> 1] ?? 0;
  const used = sample.filter((row) => squared[row]! <= 4 * median);
  const center = new Float64Array(stride);
  for (const row of used) {
    const factor = metric !== 'cosine' ? 1 : squared[row] === 0 ? 0 : 1 / Math.sqrt(squared[row]!);
    for (let column = 0; column < stride; column++) center[column]! += factor * x[row * stride + column]!;
  }
  return center.map((sum) => sum / Math.max(1, used.length));
}
