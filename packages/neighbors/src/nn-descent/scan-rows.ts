import type { RowReader } from '../exact/join/row-reader.js';
import { firstNotFinite } from '../exact/rows.js';
import type { TimeSlices } from '../exact/time-slices.js';
import { descentCrew } from './descent-crew.js';
import { descentMemory } from './descent-memory.js';

/** What one pass over all rows tells. */
export interface ScannedRows {
  /** x·x of each row, by the canonical sum; float64 [rows]. */
  readonly squares: Float64Array;
  /** First row of each row's group of equal rows, -0 being 0; int32 [rows]. */
  readonly heads: Int32Array;
  /** The group's next row, -1 at its end; int32 [rows]. */
  readonly next: Int32Array;
  /** The first rows of all groups, ascending. */
  readonly distinct: Int32Array;
  /** Mean of some rows: a point amid the data; float64 [cols]. */
  readonly center: Float64Array;
}

/**
 * Reads all rows once. Rows are equal when two 64-bit hashes of them are.
 * @throws NotFiniteError naming the first row with a NaN or infinity
 */
export async function scanRows(reader: RowReader, slices: TimeSlices, signal?: AbortSignal): Promise<ScannedRows> {
  const { rows, cols } = reader;
  const shape = { rows: 1024, cols, width: 1, candidates: 1, trees: 1, workers: 1 };
  const place = descentMemory(shape);
  const { kernel } = await descentCrew(place, 0, 0, signal);
  const { stride, stageRows, memory } = place;
  const stage = new Float32Array(memory.buffer, place.stage, stageRows * stride);
  const squares = new Float64Array(rows);
  const hashes = new Int32Array(4 * rows);
  const center = new Float64Array(cols);
  const step = Math.ceil(rows / 1024);
  for (let start = 0; start < rows; start += stageRows) {
    const end = Math.min(start + stageRows, rows);
    await reader.copy(start, end, stage, stride, slices);
    const bad = kernel.scan(place.stage, stride, end - start, place.hashes, place.squares);
    if (bad >= 0) throw firstNotFinite(stage.subarray(bad * stride, bad * stride + cols), start + bad, reader.name);
    squares.set(new Float64Array(memory.buffer, place.squares, end - start), start);
    hashes.set(new Int32Array(memory.buffer, place.hashes, 4 * (end - start)), 4 * start);
    for (let row = Math.ceil(start / step) * step; row < end; row += step) {
      for (let c = 0; c < cols; c++) center[c]! += stage[(row - start) * stride + c]! / Math.ceil(rows / step);
    }
    if (slices.due()) await slices.pause();
  }
  return { squares, center, ...(await groupByHash(hashes, rows, slices)) };
}

async function groupByHash(hashes: Int32Array, rows: number, slices: TimeSlices) {
  const heads = new Int32Array(rows);
  const next = new Int32Array(rows).fill(-1);
  const last = new Int32Array(rows);
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * rows + 2))).fill(-1);
  const distinct = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (row % 4096 === 0 && slices.due()) await slices.pause();
    let slot = hashes[4 * row]! & (slots.length - 1);
    let head = slots[slot]!;
    while (head >= 0 && !isEqual(hashes, head, row)) {
      slot = (slot + 1) & (slots.length - 1);
      head = slots[slot]!;
    }
    if (head < 0) {
      slots[slot] = row;
      distinct[count++] = row;
      head = row;
    } else next[last[head]!] = row;
    heads[row] = head;
    last[head] = row;
  }
  return { heads, next, distinct: distinct.slice(0, count) };
}

function isEqual(hashes: Int32Array, i: number, j: number): boolean {
  for (let word = 0; word < 4; word++) if (hashes[4 * i + word] !== hashes[4 * j + word]) return false;
  return true;
}
