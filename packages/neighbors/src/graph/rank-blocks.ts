import type { Neighbors, TimeSlices } from '@rarefy/core';
import { paddedColumns, type RowDistance, type Rows } from '../distance/canonical-distance.js';
import { type NeighborLists, neighborLists } from '../rows/neighbor-lists.js';
import type { RowReader } from '../rows/row-reader.js';

/** A block of rows that are searched for their neighbors. */
export interface QueryBlock {
  readonly queries: Rows;
  /** Row number of the first query. */
  readonly start: number;
  /** queries x count, filled with -1: row numbers of candidates. */
  readonly ids: Int32Array;
}

/** What {@link rankInBlocks} needs to know about the rows. */
export interface RankedRows {
  readonly reader: RowReader;
  /** x · x of every row. */
  readonly squares: Float64Array;
  readonly distance: RowDistance;
}

/** Numbers that are read together: 4 MiB. */
const bufferNumbers = 2 ** 20;
/** Up to this many numbers (64 KiB) are read in vain to avoid a separate read. */
const gapNumbers = 2 ** 14;

/**
 * The k nearest of `count` candidates of each row, by (canonical distance, id). Goes over the rows in blocks: `findCandidates`
 * fills in the candidates of a block, which are then ranked. Rows without candidates get empty lists.
 * @param blockBytes of the rows and candidates of a block; does not change the result
 */
export async function rankInBlocks(
  rows: RankedRows,
  k: number,
  count: number,
  blockBytes: number,
  findCandidates: (block: QueryBlock) => Promise<void>,
  slices: TimeSlices,
): Promise<Neighbors> {
  const { reader, squares } = rows;
  const stride = paddedColumns(reader.cols);
  const lists = neighborLists(reader.rows, k);
  const blockRows = Math.max(1, Math.min(reader.rows, Math.floor(blockBytes / (4 * stride + 8 * count))));
  const ids = new Int32Array(blockRows * count);
  for await (const { queries, start } of blocksOf(reader, squares, blockRows, slices)) {
    ids.fill(-1);
    await findCandidates({ queries, start, ids });
    if (queries.rows === reader.rows) await rankDirectly(queries, ids, count, lists, rows.distance, slices);
    else await rankFromSource({ queries, start, ids }, count, rows, lists, slices);
    for (let row = start; row < start + queries.rows; row++) {
      lists.sort(row);
      if (row % 256 === 0 && slices.due()) await slices.pause();
    }
  }
  return lists.neighbors;
}

/** Reads all rows in blocks, which share a buffer. Rows that are held in the right layout are not copied. */
export async function* blocksOf(
  reader: RowReader,
  squares: Float64Array,
  blockRows: number,
  slices: TimeSlices,
): AsyncGenerator<{ readonly queries: Rows; readonly start: number }> {
  const { rows, cols, held } = reader;
  const stride = paddedColumns(cols);
  const isInPlace = held !== undefined && ('stride' in held || cols === stride);
  const buffer = isInPlace ? held.data : new Float32Array(Math.min(blockRows, rows) * stride);
  for (let start = 0; start < rows; start += blockRows) {
    const end = Math.min(start + blockRows, rows);
    if (!isInPlace) await reader.copy(start, end, buffer, stride, slices);
    const data = isInPlace ? buffer.subarray(start * stride, end * stride) : buffer;
    yield { queries: { data, squaredNorms: squares.subarray(start, end), rows: end - start, cols, stride }, start };
  }
}

/** Ranks candidates that are all in the block. */
async function rankDirectly(
  rows: Rows,
  ids: Int32Array,
  count: number,
  lists: NeighborLists,
  distance: RowDistance,
  slices: TimeSlices,
): Promise<void> {
  for (let row = 0; row < rows.rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    for (let cell = row * count; cell < (row + 1) * count; cell++) {
      const id = ids[cell]!;
      if (id >= 0) lists.offer(row, distance(rows, row, rows, id), id);
    }
  }
}

/**
 * Ranks candidates that are read again. They are sorted by row over all queries of the block, so the needed ranges of the source
 * are read once, in order.
 */
async function rankFromSource(
  { queries, start, ids }: QueryBlock,
  count: number,
  { reader, squares, distance }: RankedRows,
  lists: NeighborLists,
  slices: TimeSlices,
): Promise<void> {
  const { rows, cols } = reader;
  const { stride } = queries;
  const { askedBy, starts } = await sortById(ids, count, rows, slices);
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
async function sortById(ids: Int32Array, count: number, rows: number, slices: TimeSlices) {
  const starts = new Int32Array(rows + 1);
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
  return { askedBy, starts };
}
