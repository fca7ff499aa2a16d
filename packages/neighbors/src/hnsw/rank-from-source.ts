import type { RowDistance } from '../exact/canonical-distance.js';
import type { RowReader } from '../exact/join/row-reader.js';
import type { NeighborLists } from '../exact/neighbor-lists.js';
import type { Rows } from '../exact/rows.js';
import type { TimeSlices } from '../exact/time-slices.js';

/** Candidates of a block of queries, which are rows of the source themselves. */
export interface BlockCandidates {
  /** The queries, in memory. */
  readonly queries: Rows;
  /** Row of the first one. */
  readonly start: number;
  /** queries x count row numbers; -1 for none. */
  readonly ids: Int32Array;
  readonly count: number;
}

/** Numbers that are in memory at a time: 4 MiB. */
const bufferNumbers = 2 ** 20;
/** Numbers that are read for nothing rather than to begin another read: 64 KiB. */
const gapNumbers = 2 ** 14;

/**
 * Offers each query its candidates at their canonical distance. Candidates are sorted by row, over all queries of the block, so that
 * the source is read once, from front to back, in ranges, where there are any.
 * @param squares x·x of every row
 * @param starts scratch space of rows + 1 integers
 */
export async function rankFromSource(
  { queries, start, ids, count }: BlockCandidates,
  reader: RowReader,
  squares: Float64Array,
  lists: NeighborLists,
  distance: RowDistance,
  starts: Int32Array,
  slices: TimeSlices,
): Promise<void> {
  const { rows, cols } = reader;
  const { stride } = queries;
  const askedBy = await sortById(ids, count, rows, starts, slices);
  const bufferRows = Math.max(1, Math.floor(bufferNumbers / stride));
  const gapRows = Math.floor(gapNumbers / cols);
  const buffer = new Float32Array(Math.min(bufferRows, rows) * stride);
  const isAsked = (row: number) => starts[row + 1]! > starts[row]!;
  for (let from = 0; from < rows; ) {
    if (from % 1024 === 0 && slices.due()) await slices.pause();
    if (!isAsked(from)) {
      from++;
      continue;
    }
    let end = from + 1;
    const last = Math.min(rows, from + bufferRows);
    for (let row = end; row < last && row - end <= gapRows; row++) if (isAsked(row)) end = row + 1;
    await reader.copy(from, end, buffer, stride, slices);
    const part = { data: buffer, squaredNorms: squares.subarray(from, end), rows: end - from, cols, stride };
    for (let row = from; row < end; row++) {
      for (let at = starts[row]!; at < starts[row + 1]!; at++) {
        const query = askedBy[at]!;
        lists.offer(start + query, distance(queries, query, part, row - from), row);
      }
      if (row % 16 === 0 && slices.due()) await slices.pause();
    }
    from = end;
  }
}

/** Queries sorted by the row that they ask for: those of row r are at `starts[r]` to `starts[r + 1]` - 1. */
async function sortById(ids: Int32Array, count: number, rows: number, starts: Int32Array, slices: TimeSlices) {
  starts.fill(0);
  for (const id of ids) if (id >= 0) starts[id + 1]!++;
  for (let row = 0; row < rows; row++) starts[row + 1]! += starts[row]!;
  const askedBy = new Int32Array(starts[rows]!);
  // Filled from behind, which moves each end to its start.
  for (let at = ids.length - 1; at >= 0; at--) {
    if (at % 65536 === 0 && slices.due()) await slices.pause();
    const id = ids[at]!;
    if (id >= 0) askedBy[--starts[id + 1]!] = Math.floor(at / count);
  }
  // Now starts[r + 1] is where row r begins.
  starts.copyWithin(0, 1);
  starts[rows] = askedBy.length;
  return askedBy;
}
