import {
  type CallOptions,
  InvalidArgumentError,
  type Metric,
  type Neighbors,
  startProgress,
  timeSlices,
} from '@rarefy/core';
import { fromOrderedBits, type JoinShape, joinBytes, joinMemory, mostMemoryBytes } from '@rarefy/neighbors-wasm';
import { distanceToEqualRow, paddedColumns } from '../../distance/canonical-distance.js';
import { distinctRows, noGroups } from '../../rows/equal-rows.js';
import { expandSearch, expandSelfJoin } from '../../rows/expand-groups.js';
import type { RowReader } from '../../rows/row-reader.js';
import { startCrew } from '../../workers/crew.js';
import { workerCount } from '../../workers/threads.js';
import {
  groupSegment,
  type JoinSide,
  type JoinTools,
  joinSegments,
  readSegment,
  type Segment,
} from './join-segments.js';

export interface WasmJoinOptions extends CallOptions {
  readonly k: number;
  readonly metric: Metric;
  /** Worker threads; default: as many as pay off. */
  readonly workers?: number | undefined;
  /** Limit of the shared memory. */
  readonly memoryBytes: number;
}

export interface WasmJoinResult {
  readonly neighbors: Neighbors;
  readonly fullScans: number;
  readonly distinctRows: number;
}

/** Share of the rows for which there is always room for many candidates. */
const leastCrowded = 1 / 8;
/** Multiplications from which on starting workers pays off: about 50 ms of one core. */
const largeProducts = 2 ** 32;

/** The k nearest other rows of every row. */
export async function wasmSelfJoin(reader: RowReader, options: WasmJoinOptions): Promise<WasmJoinResult> {
  const { metric, k, signal } = options;
  const { rows, cols } = reader;
  const width = Math.max(1, Math.min(k, rows - 1));
  const lists = emptyLists(rows, width);
  const side = { ...sideOf(reader), lists };
  const shape = shapeOf(metric, cols, width, [rows, 0], true, options.memoryBytes);
  const segments = segmentsOf(rows, shape.rows[0]);
  const parts = segments.length ** 2; // a join of two segments counts as two parts
  const products = ((rows * rows) / 2) * shape.stride;
  const fullScans = await withTools(shape, products, 'self-join', rows, options, async (tools, partProgress) => {
    let scans = 0;
    let part = 0;
    for (const segment of segments) {
      const loaded = await readSegment(tools, side, segment, 0);
      await groupSegment(tools, loaded);
      scans += await joinSegments(tools, [loaded], partProgress(part++ / parts, 1 / parts));
    }
    for (const [index, segment] of segments.slice(0, -1).entries()) {
      const first = await readSegment(tools, side, segment, 0);
      for (const other of segments.slice(index + 1)) {
        const second = await readSegment(tools, side, other, 1);
        scans += await joinSegments(tools, [first, second], partProgress(part / parts, 2 / parts));
        part += 2;
      }
    }
    return scans;
  });
  const { groups, squared } = side;
  const ownDistance = (row: number) => distanceToEqualRow(metric, squared[row]!);
  const nearest = neighborsOf(lists, rows, width);
  const neighbors = await expandSelfJoin(nearest, k, groups, ownDistance, timeSlices(signal));
  return { neighbors, fullScans, distinctRows: distinctRows(groups).length };
}

/** The k nearest rows of every query. @param exclude one id per query to leave out, or -1 */
export async function wasmSearch(
  queries: RowReader,
  points: RowReader,
  exclude: Int32Array | undefined,
  options: WasmJoinOptions,
): Promise<WasmJoinResult> {
  const { metric, k, signal } = options;
  const width = Math.min(exclude ? k + 1 : k, points.rows);
  const lists = emptyLists(queries.rows, width);
  const querySide = { ...sideOf(queries), lists };
  const pointSide = sideOf(points);
  const shape = shapeOf(metric, points.cols, width, [queries.rows, points.rows], false, options.memoryBytes);
  const querySegments = segmentsOf(queries.rows, shape.rows[0]);
  const pointSegments = segmentsOf(points.rows, shape.rows[1]);
  const parts = querySegments.length * pointSegments.length;
  const products = queries.rows * points.rows * shape.stride;
  const fullScans = await withTools(shape, products, 'search', queries.rows, options, async (tools, partProgress) => {
    let second = await readSegment(tools, pointSide, pointSegments[0]!, 1);
    await groupSegment(tools, second);
    for (const segment of pointSegments.slice(1)) {
      second = await readSegment(tools, pointSide, segment, 1);
      await groupSegment(tools, second);
    }
    let scans = 0;
    let part = 0;
    for (const querySegment of querySegments) {
      const first = await readSegment(tools, querySide, querySegment, 0);
      for (const segment of pointSegments) {
        if (second.segment !== segment) second = await readSegment(tools, pointSide, segment, 1);
        scans += await joinSegments(tools, [first, second], partProgress(part++ / parts, 1 / parts));
      }
    }
    return scans;
  });
  const { groups } = pointSide;
  const nearest = neighborsOf(lists, queries.rows, width);
  const neighbors = await expandSearch(nearest, k, groups, exclude, timeSlices(signal));
  return { neighbors, fullScans, distinctRows: distinctRows(groups).length };
}

/** The progress of a part of the work: shares of the whole at which it begins, and that it takes. */
type PartProgress = (begin: number, share: number) => (done: number, tasks: number) => void;

/** Runs work with a memory and a crew, reports its events, and ends the workers whatever happens. */
async function withTools<Result>(
  shape: JoinShape,
  products: number,
  task: string,
  total: number,
  { workers, signal, onEvent }: WasmJoinOptions,
  work: (tools: JoinTools, partProgress: PartProgress) => Promise<Result>,
): Promise<Result> {
  const slices = timeSlices(signal);
  const progress = startProgress(task, total, onEvent);
  const memory = joinMemory(shape);
  const crew = await startCrew({
    name: 'join',
    memory: memory.memory,
    wordsAt: memory.wordsAt,
    parametersAt: memory.parametersAt,
    workers: workerCount(workers, products >= largeProducts),
    signal,
  });
  try {
    const result = await work({ memory, crew, slices }, (begin, share) => (done, tasks) => {
      progress.report(Math.floor(total * (begin + (share * done) / tasks)));
    });
    progress.report(total);
    progress.end();
    return result;
  } finally {
    await crew[Symbol.asyncDispose]();
  }
}

function sideOf(reader: RowReader): JoinSide {
  return { reader, groups: noGroups(reader.rows), squared: new Float64Array(reader.rows) };
}

/** Lists of pairs, as the wasm module keeps them: an id, and the bits of a distance in an order that unsigned integers compare. */
const emptyLists = (rows: number, k: number): Uint32Array => new Uint32Array(2 * k * rows).fill(0xffffffff);

function neighborsOf(lists: Uint32Array, rows: number, k: number): Neighbors {
  const ids = new Int32Array(rows * k);
  const distances = new Float32Array(rows * k);
  for (let cell = 0; cell < ids.length; cell++) {
    ids[cell] = lists[2 * cell]!; // 0xffffffff, for a missing neighbor, becomes -1
    distances[cell] = fromOrderedBits(lists[2 * cell + 1]!);
  }
  return { rows, k, ids, distances };
}

/** Divides rows into segments of at most `most` rows, of nearly equal size. */
function segmentsOf(rows: number, most: number): Segment[] {
  const count = Math.max(1, Math.ceil(rows / most));
  return Array.from({ length: count }, (_, index) => ({
    start: Math.floor((index * rows) / count),
    end: Math.floor(((index + 1) * rows) / count),
  }));
}

/** The shape for all rows at once if the memory can hold them, otherwise for segments of which it holds two. */
function shapeOf(
  metric: Metric,
  cols: number,
  k: number,
  rows: readonly [number, number],
  isMutual: boolean,
  memoryBytes: number,
): JoinShape {
  const limit = Math.min(memoryBytes, mostMemoryBytes);
  const shapeWith = (rows: readonly [number, number], crowdedShare: number): JoinShape => {
    const crowded = Math.ceil(crowdedShare * (isMutual ? rows[0] + rows[1] : rows[0]));
    return { metric, stride: paddedColumns(cols), k, rows, crowded };
  };
  // Pages that are not touched take no memory, so every row has room for many candidates if the limit allows it.
  for (const share of [1, 0.5, 0.25, leastCrowded]) {
    const whole = shapeWith(rows, share);
    if (joinBytes(whole) <= limit) return whole;
  }
  const least = joinBytes(shapeWith([1, 1], leastCrowded));
  if (least > limit) {
    throw new InvalidArgumentError(
      `memoryBytes = ${memoryBytes} is too little for two rows of ${cols} columns and ${k} neighbors, which take ${least} bytes; ` +
        `set it higher, up to ${mostMemoryBytes} bytes, or use fewer columns or neighbors`,
    );
  }
  let most = Math.max(...rows);
  while (joinBytes(shapeWith([most, most], leastCrowded)) > limit) most = Math.floor(most * 0.9);
  return shapeWith([most, most], leastCrowded);
}
