import type { TimeSlices } from '@rarefy/core';
import type { RowDistance, Rows } from '../../distance/canonical-distance.js';
import type { NeighborLists } from '../../rows/neighbor-lists.js';
import type { RowReader } from '../../rows/row-reader.js';

/** Candidates of a block of queries, which are rows of the source themselves. */
export interface BlockCandidates {
  readonly queries: Rows;
  /** Row number of the first query. */
  readonly start: number;
  /** queries x count row numbers; -1 for none. */
  readonly ids: Int32Array;
  readonly count: number;
}

/** Numbers that are in memory at a time: 4 MiB. */
const bufferNumbers = 2 ** 20;
/** Up to this many numbers (64 KiB) are read in vain to avoid a separate read. */
const gapNumbers = 2 ** 14;

/**
 * Offers each query its candidates at their canonical distance. Candidates are sorted by row over all queries of the block, so the
 * needed ranges of the source are read once, in order.
 * @param squares x · x of every row
 * @param starts scratch memory of rows + 1 integers
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
  const isNeeded = (row: number) => starts[row + 1]! > starts[row]!;
  for (let from = 0; from < rows; ) {
    if (from % 1024 === 0 && slices.due()) await slices.pause();
    if (!isNeeded(from)) {
      from++;
      continue;
    }
    let end = from + 1;
    const last = Math.min(rows, from + bufferRows);
    for (let row = end; row < last && row - end <= gapRows; row++) if (isNeeded(row)) end = row + 1;
    await reader.copy(from, end, buffer, stride, slices);
    const part = { data: buffer, squaredNorms: squares.subarray(from, end), rows: end - from, cols, stride };
    for (let row = from; row < end; row++) {
      for (let index = starts[row]!; index < starts[row + 1]!; index++) {
        const query = askedBy[index]!;
        lists.offer(start + query, distance(queries, query, part, row - from), row);
      }
      if (row % 16 === 0 && slices.due()) await slices.pause();
    }
    from = end;
  }
}

/** The queries sorted by candidate: those with candidate r are at indices starts[r] to starts[r + 1] - 1. */
async function sortById(ids: Int32Array, count: number, rows: number, starts: Int32Array, slices: TimeSlices) {
  starts.fill(0);
  for (const id of ids) if (id >= 0) starts[id + 1]!++;
  for (let row = 0; row < rows; row++) starts[row + 1]! += starts[row]!;
  const askedBy = new Int32Array(starts[rows]!);
  // Filled from the back, which moves each end to its start.
  for (let cell = ids.length - 1; cell >= 0; cell--) {
    if (cell % 65536 === 0 && slices.due()) await slices.pause();
    const id = ids[cell]!;
    if (id >= 0) askedBy[--starts[id + 1]!] = Math.floor(cell / count);
  }
  // Now starts[r + 1] is the start of row r.
  starts.copyWithin(0, 1);
  starts[rows] = askedBy.length;
  return askedBy;
}
