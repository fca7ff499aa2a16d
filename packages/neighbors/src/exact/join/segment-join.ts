import { firstNotFinite } from '../rows.js';
import type { TimeSlices } from '../time-slices.js';
import type { JoinCrew } from './crew.js';
import { groupRows, type RowGroups } from './group-rows.js';
import type { JoinMemory } from './join-memory.js';
import { orderByNorm } from './order-by-norm.js';
import { control, joinTasks, noBadRow, type Phase, residualUnit } from './phases.js';
import type { RowReader } from './row-reader.js';
import type { Segment } from './segments.js';

/** Rows of one side of a join, and what is known of all of them so far. */
export interface JoinSide {
  readonly reader: RowReader;
  readonly groups: RowGroups;
  /** Squared norm of each row; float64 [rows]. */
  readonly squared: Float64Array;
  /** `k` neighbours a row as {@link JoinMemory.lists}, for the sides that get any. */
  readonly lists?: Uint32Array | undefined;
}

/** Joins segments of rows in one shared memory, the nearest so far of every row being kept outside it. */
export interface SegmentJoin {
  /** Reads a segment and finds its equal rows. */
  group(side: JoinSide, segment: Segment, half: 0 | 1): Promise<void>;
  /** The same, and joins it with itself. */
  first(side: JoinSide, segment: Segment, onTasks: (done: number, tasks: number) => void): Promise<void>;
  /** Joins two segments that were read before. */
  cross(
    sides: readonly [JoinSide, JoinSide],
    segments: readonly [Segment, Segment],
    onTasks: (done: number, tasks: number) => void,
  ): Promise<void>;
  /** Rows that were compared with all others by their distance, because the bound left too many. */
  readonly fullScans: number;
}

/** Numbers that a centre is the mean of, at most. */
const centreNumbers = 2 ** 21;

export function segmentJoin(place: JoinMemory, crew: JoinCrew, slices: TimeSlices): SegmentJoin {
  const { metric, stride, k, blockRows } = place;
  const words = new Int32Array(place.memory.buffer, place.controlAt);
  const parameters = { split: 0, positions: 0, isMutual: true, unit: 1, bound: 0, largest: 0, centreNorm: 0 };
  const loaded: ({ readonly side: JoinSide; readonly segment: Segment } | undefined)[] = [];
  let fullScans = 0;

  /** A pass over the rows of a half of the memory. */
  const rowPhase = async (name: 'scan' | 'measure', start: number, rows: number) => {
    const taskRows = Math.max(1, Math.floor(2 ** 17 / stride));
    place.setParameters(parameters);
    await crew.run({ ...none, name, tasks: Math.ceil(rows / taskRows), start, rows, taskRows });
  };

  const blockPhase = async (name: 'quantise' | 'rank' | 'join', onTasks?: (done: number, tasks: number) => void) => {
    place.setParameters(parameters);
    const blocks = parameters.positions / blockRows;
    const split = parameters.split / blockRows;
    const tasks = name === 'join' ? joinTasks(split, blocks) : blocks;
    const phase = { ...none, name, tasks, taskRows: blockRows, split, blocks };
    await crew.run(phase, onTasks && ((done) => onTasks(done, tasks)));
  };

  /** Brings rows into a half of the memory, and groups those that are read for the first time. */
  const load = async (side: JoinSide, segment: Segment, half: 0 | 1, isNew: boolean) => {
    if (loaded[half]?.side === side && loaded[half].segment === segment) return;
    loaded[half] = { side, segment };
    const { reader, squared, groups } = side;
    const { start, end } = segment;
    const first = half * place.rows[0];
    await reader.copy(start, end, place.x.subarray(first * stride), stride, slices);
    const rows = end - start;
    for (let row = 0; row < rows; row++) place.ids[first + row] = start + row;
    Atomics.store(words, control.bad, noBadRow);
    await rowPhase('scan', first, rows);
    const bad = Atomics.load(words, control.bad);
    if (bad !== noBadRow) {
      const values = place.x.subarray(bad * stride, (bad + 1) * stride);
      throw firstNotFinite(values, bad - first + start, reader.name);
    }
    if (!isNew) return;
    squared.set(place.squared.subarray(first, first + rows), start);
    const data = place.x.subarray(first * stride, (first + rows) * stride);
    await groupRows(groups, start, rows, data, stride, place.hashes.subarray(2 * first), slices);
  };

  /** Gives the distinct rows of a half their positions, from `from` on. Returns the position behind the last block. */
  const setPositions = ({ groups }: JoinSide, { start, end }: Segment, first: number, from: number) => {
    const distinct = new Int32Array(end - start);
    let count = 0;
    for (let row = start; row < end; row++) if (groups.heads[row] === row) distinct[count++] = first + row - start;
    const rows = distinct.subarray(0, count);
    const behind = from + Math.ceil(count / blockRows) * blockRows;
    place.rowAt.set(metric === 'cosine' ? rows : orderByNorm(rows, place.centred), from);
    place.rowAt.fill(-1, from + count, behind);
    const norms = metric === 'euclidean' ? place.centred : place.squared;
    for (const row of rows) parameters.largest = Math.max(parameters.largest, Math.sqrt(norms[row]!));
    return behind;
  };

  /** Copies the lists of the rows at positions [from, to) into the memory, or back. */
  const copyLists = async (side: JoinSide, from: number, to: number, isBack: boolean) => {
    const { lists } = side;
    for (let position = from; position < to; position++) {
      if (position % 4096 === 0 && slices.due()) await slices.pause();
      const row = place.rowAt[position]!;
      if (row < 0 || !lists) continue;
      const here = place.lists.subarray(2 * k * position, 2 * k * (position + 1));
      const at = 2 * k * place.ids[row]!;
      if (isBack) lists.set(here, at);
      else here.set(lists.subarray(at, at + 2 * k));
    }
  };

  /** Joins what is in the memory. */
  const join = async (
    sides: readonly JoinSide[],
    segments: readonly Segment[],
    onTasks: (done: number, tasks: number) => void,
  ) => {
    const starts = [0, place.rows[0]];
    const centre = centreOf(place, segments, starts);
    place.centre.set(centre);
    if (metric !== 'cosine') {
      for (const [half, { start, end }] of segments.entries()) await rowPhase('measure', starts[half]!, end - start);
    }
    parameters.largest = 0;
    parameters.isMutual = sides[1]?.lists !== undefined;
    parameters.split = setPositions(sides[0]!, segments[0]!, 0, 0);
    parameters.positions = parameters.split;
    if (sides[1]) parameters.positions = setPositions(sides[1], segments[1]!, starts[1]!, parameters.split);
    if (metric !== 'cosine') scaleTo(parameters);
    for (let column = 0; column < stride; column++) place.centre[column]! *= parameters.unit;
    parameters.centreNorm = Math.sqrt(place.centre.reduce((sum, value) => sum + value * value, 0));
    await copyLists(sides[0]!, 0, parameters.split, false);
    if (sides[1]) await copyLists(sides[1], parameters.split, parameters.positions, false);
    Atomics.store(words, control.residual, 0);
    Atomics.store(words, control.scans, 0);
    Atomics.store(words, control.pool, 0);
    await blockPhase('quantise');
    const residual = Atomics.load(words, control.residual) * residualUnit;
    parameters.bound = (2 * residual + residual * residual) * 1.0001;
    await blockPhase('join', onTasks);
    await blockPhase('rank');
    fullScans += Atomics.load(words, control.scans);
    await copyLists(sides[0]!, 0, parameters.split, true);
    if (sides[1]) await copyLists(sides[1], parameters.split, parameters.positions, true);
  };

  return {
    get fullScans() {
      return fullScans;
    },
    group: (side, segment, half) => load(side, segment, half, true),
    async first(side, segment, onTasks) {
      await load(side, segment, 0, true);
      await join([side], [segment], onTasks);
    },
    async cross(sides, segments, onTasks) {
      await load(sides[0], segments[0], 0, false);
      await load(sides[1], segments[1], 1, false);
      await join(sides, segments, onTasks);
    },
  };
}

const none: Omit<Phase, 'name' | 'tasks'> = { start: 0, rows: 0, taskRows: 1, split: 0, blocks: 0 };

/** A power of two brings the largest norm near 1, so that float32 neither overflows nor underflows on the way. */
function scaleTo(parameters: { unit: number; largest: number }): void {
  parameters.unit = parameters.largest > 0 ? 2 ** -Math.floor(Math.log2(parameters.largest)) : 1;
  parameters.largest *= parameters.unit * 1.001;
}

/**
 * What is subtracted from all rows, to keep their norms and with them the bound small: the mean of a sample, by cosine of the rows at
 * length 1, without the rows of more than twice its median norm. Any centre is right.
 */
function centreOf(place: JoinMemory, segments: readonly Segment[], starts: readonly number[]): Float64Array {
  const { metric, stride, x, squared } = place;
  const sample: number[] = [];
  const most = Math.max(16, Math.floor(centreNumbers / stride));
  for (const [half, { start, end }] of segments.entries()) {
    const step = Math.max(1, ((end - start) * segments.length) / most);
    for (let row = 0; row < end - start; row += step) sample.push(starts[half]! + Math.floor(row));
  }
  const median = sample.map((row) => squared[row]!).sort((a, b) => a - b)[sample.length >> 1] ?? 0;
  const used = sample.filter((row) => squared[row]! <= 4 * median);
  const centre = new Float64Array(stride);
  for (const row of used) {
    const factor = metric !== 'cosine' ? 1 : squared[row] === 0 ? 0 : 1 / Math.sqrt(squared[row]!);
    for (let column = 0; column < stride; column++) centre[column]! += factor * x[row * stride + column]!;
  }
  return centre.map((sum) => sum / Math.max(1, used.length));
}
