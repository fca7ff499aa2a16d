import { type CallOptions, InvalidArgumentError, type Metric, type Neighbors } from '@rarefy/core';
import { availableWorkers, hasSharedWorkers } from '../../kernels/start-worker.js';
import { timeSlices } from '../time-slices.js';
import { joinCrew } from './crew.js';
import { distanceToCopies, expandGroups } from './expand-groups.js';
import { noGroups, type RowGroups } from './group-rows.js';
import { type JoinShape, joinBytes, joinMemory, mostWorkers } from './join-memory.js';
import type { RowReader } from './row-reader.js';
import { type JoinSide, type SegmentJoin, segmentJoin } from './segment-join.js';
import { segmentsOf } from './segments.js';

export interface WasmJoinOptions extends CallOptions {
  readonly k: number;
  readonly metric: Metric;
  /** Worker threads; without a number as many as pay. */
  readonly workers?: number | undefined;
  /** Most bytes of shared memory. */
  readonly memoryBytes: number;
}

export interface WasmJoinResult {
  readonly neighbors: Neighbors;
  readonly fullScans: number;
  readonly distinctRows: number;
}

/** Share of the rows for which there is always room to have many candidates. */
const leastCrowded = 1 / 8;
/** What a wasm memory can have. */
const mostBytes = 2 ** 32 - 65536;
/** Products of numbers from which on starting workers pays: some 50 ms of one core. */
const workersPay = 2 ** 32;

/** Every row's k nearest other rows. */
export async function wasmSelfJoin(reader: RowReader, options: WasmJoinOptions): Promise<WasmJoinResult> {
  const { metric, k, signal } = options;
  const { rows } = reader;
  const width = Math.max(1, Math.min(k, rows - 1));
  const side = newSide(reader, width);
  const { groups, squared } = side;
  const shape = shapeOf(metric, reader.cols, width, [rows, 0], true, options.memoryBytes);
  const segments = segmentsOf(rows, shape.rows[0]);
  const pairs = segments.flatMap((first, i) => segments.slice(i + 1).map((second) => [first, second] as const));
  const parts = segments.length + 2 * pairs.length;
  const work = ((rows * rows) / 2) * shape.stride;
  const fullScans = await withJoin(shape, work, 'self-join', rows, options, async (join, onPart) => {
    let part = 0;
    for (const segment of segments) await join.first(side, segment, onPart(part++ / parts, 1 / parts));
    for (const pair of pairs) {
      await join.cross([side, side], pair, onPart(part / parts, 2 / parts));
      part += 2;
    }
  });
  const expansion = { lists: side.lists!, width, groups, ownDistance: distanceToCopies(metric, squared) };
  const neighbors = await expandGroups(rows, k, expansion, timeSlices(signal));
  return { neighbors, fullScans, distinctRows: distinctCount(groups) };
}

/** The k nearest rows of every query. @param exclude one id a query to leave out; -1 leaves none out */
export async function wasmSearch(
  queries: RowReader,
  points: RowReader,
  exclude: Int32Array | undefined,
  options: WasmJoinOptions,
): Promise<WasmJoinResult> {
  const { metric, k, signal } = options;
  const width = Math.min(exclude ? k + 1 : k, points.rows);
  const querySide = newSide(queries, width);
  const pointSide: JoinSide = { ...newSide(points, 0), lists: undefined };
  const shape = shapeOf(metric, points.cols, width, [queries.rows, points.rows], false, options.memoryBytes);
  const querySegments = segmentsOf(queries.rows, shape.rows[0]);
  const pointSegments = segmentsOf(points.rows, shape.rows[1]);
  const pairs = querySegments.flatMap((first) => pointSegments.map((second) => [first, second] as const));
  const work = queries.rows * points.rows * shape.stride;
  const fullScans = await withJoin(shape, work, 'search', queries.rows, options, async (join, onPart) => {
    for (const segment of pointSegments) await join.group(pointSide, segment, 1);
    for (const [part, pair] of pairs.entries()) {
      await join.cross([querySide, pointSide], pair, onPart(part / pairs.length, 1 / pairs.length));
    }
  });
  const expansion = { lists: querySide.lists!, width, groups: pointSide.groups, exclude };
  const neighbors = await expandGroups(queries.rows, k, expansion, timeSlices(signal));
  return { neighbors, fullScans, distinctRows: distinctCount(pointSide.groups) };
}

type OnPart = (begin: number, share: number) => (done: number, tasks: number) => void;

/** Runs work on a join, with its events, and ends its workers whatever happens. Returns the count of full scans. */
async function withJoin(
  shape: JoinShape,
  products: number,
  task: string,
  total: number,
  { workers, signal, onEvent }: WasmJoinOptions,
  work: (join: SegmentJoin, onPart: OnPart) => Promise<void>,
): Promise<number> {
  const started = performance.now();
  const slices = timeSlices(signal);
  onEvent?.({ type: 'work-start', task, total });
  const place = joinMemory(shape);
  const crew = await joinCrew(place, workerCount(workers, products), signal);
  try {
    const join = segmentJoin(place, crew, slices);
    const onPart: OnPart = (begin, share) => (done, tasks) =>
      onEvent?.({ type: 'work-progress', task, done: Math.floor(total * (begin + (share * done) / tasks)), total });
    await work(join, onPart);
    onEvent?.({ type: 'work-progress', task, done: total, total });
    onEvent?.({ type: 'work-end', task, done: total, elapsedMs: performance.now() - started });
    return join.fullScans;
  } finally {
    await crew[Symbol.asyncDispose]();
  }
}

function workerCount(asked: number | undefined, products: number): number {
  if (!hasSharedWorkers()) return 0;
  if (asked !== undefined) return asked;
  return products < workersPay ? 0 : Math.min(mostWorkers, availableWorkers());
}

function newSide(reader: RowReader, k: number): JoinSide {
  return {
    reader,
    groups: noGroups(reader.rows),
    squared: new Float64Array(reader.rows),
    lists: new Uint32Array(2 * k * reader.rows).fill(0xffffffff),
  };
}

/** All rows at once where the memory holds them, else segments of rows, two of which it holds. */
function shapeOf(
  metric: Metric,
  cols: number,
  k: number,
  rows: readonly [number, number],
  isMutual: boolean,
  memoryBytes: number,
): JoinShape {
  const limit = Math.min(memoryBytes, mostBytes);
  const shapeWith = (rows: readonly [number, number], crowdedShare: number): JoinShape => {
    const crowded = Math.ceil(crowdedShare * (isMutual ? rows[0] + rows[1] : rows[0]));
    return { metric, stride: Math.ceil(cols / 8) * 8, k, rows, crowded };
  };
  // What is not touched takes no memory, so every row may have many candidates if that is allowed.
  for (const share of [1, 0.5, 0.25, leastCrowded]) {
    const whole = shapeWith(rows, share);
    if (joinBytes(whole) <= limit) return whole;
  }
  const least = joinBytes(shapeWith([1, 1], leastCrowded));
  if (least > limit) {
    throw new InvalidArgumentError(
      `memoryBytes = ${memoryBytes} is too little for two rows of ${cols} columns and ${k} neighbours: they take ${least} bytes, and a wasm memory has ${mostBytes} at most`,
    );
  }
  let most = Math.max(...rows);
  while (joinBytes(shapeWith([most, most], leastCrowded)) > limit) most = Math.floor(most * 0.9);
  return shapeWith([most, most], leastCrowded);
}

function distinctCount({ heads }: RowGroups): number {
  let count = 0;
  for (let row = 0; row < heads.length; row++) if (heads[row] === row) count++;
  return count;
}
