import type { CallOptions, Neighbors } from '@rarefy/core';
import { libraryRows } from '../candidates/library-rows.js';
import { canonicalDistance } from '../exact/canonical-distance.js';
import { joinReader } from '../exact/exact-neighbors.js';
import { distanceToCopies, expandGroups, orderedBits } from '../exact/join/expand-groups.js';
import type { RowReader } from '../exact/join/row-reader.js';
import { neighborLists } from '../exact/neighbor-lists.js';
import type { Rows } from '../exact/rows.js';
import { type TimeSlices, timeSlices } from '../exact/time-slices.js';
import { type ScannedRows, scanRows } from '../nn-descent/scan-rows.js';
import { recallOfQueries } from '../recall/recall-of-rows.js';
import { sampleRows } from '../recall/sample-rows.js';
import { withRecall } from '../recall/with-recall.js';
import { rankFromSource } from './rank-from-source.js';
import { floatEncoder, int8Encoder } from './row-encoder.js';
import {
  type GraphSettings,
  isByDifference,
  learnedRows,
  rowsPerCall,
  searchStore,
  usearchStore,
} from './usearch-engine.js';
import type { Usearch } from './usearch-library.js';

/** Different rows up to which all are compared. */
const exactRows = 1024;
const recallSample = 1000;
/** Shared memory of exact searches. */
const exactBytes = 2 ** 28;
/** Rows read together to learn how numbers are spread. */
const sampledTogether = 64;

/** Rows are equally long when the largest square of a length is at most so many times the smallest. */
const equalSquares = 1.002;

export type GraphJoinOptions = CallOptions &
  GraphSettings & {
    readonly k: number;
    /** Bytes of queries and their candidates that are in memory at a time. Changes no number. */
    readonly blockBytes: number;
  };

/**
 * The self-join of rows that are read in blocks: the graph keeps them in its own form, finds candidates, and these are ranked by the
 * canonical distance of float32 rows, read again. Equal rows are one row of the graph.
 */
export async function graphJoin(
  Index: Usearch['Index'],
  reader: RowReader,
  options: GraphJoinOptions,
): Promise<Neighbors> {
  const { k, metric, signal, onEvent } = options;
  const { rows } = reader;
  const task = 'hnsw';
  const started = performance.now();
  const slices = timeSlices(signal);
  const wanted = 2 * k + 32;
  onEvent?.({ type: 'work-start', task, total: rows });
  const finish = (neighbors: Neighbors) => {
    onEvent?.({ type: 'work-end', task, done: rows, elapsedMs: performance.now() - started });
    return neighbors;
  };
  const scanned = rows <= exactRows ? undefined : await scanRows(reader, slices, signal);
  if (scanned === undefined || scanned.distinct.length <= Math.max(exactRows, 4 * wanted)) {
    const { ids, distances } = await joinReader(reader, { k, metric, memoryBytes: exactBytes, signal }, false);
    return finish(withRecall({ rows, k, ids, distances }, { value: 1, sampledRows: rows }, task, onEvent));
  }
  const progress = (share: number) =>
    onEvent?.({ type: 'work-progress', task, done: Math.floor(rows * share), total: rows });
  const found = await findInGraph(Index, reader, scanned, wanted, options, slices, progress);
  const neighbors = await withCopies(found.neighbors, scanned, options, slices);
  const { queries, sampled } = found;
  const call = { metric, memoryBytes: exactBytes, signal };
  return finish(withRecall(neighbors, await recallOfQueries(queries, sampled, reader, neighbors, call), task, onEvent));
}

/** Neighbours of the first row of each group among those, and the rows to measure recall with. */
async function findInGraph(
  Index: Usearch['Index'],
  reader: RowReader,
  { squares, heads, distinct }: ScannedRows,
  wanted: number,
  options: GraphJoinOptions,
  slices: TimeSlices,
  progress: (share: number) => void,
) {
  const { k, metric, dtype, threads, blockBytes } = options;
  const { rows, cols } = reader;
  const stride = Math.ceil(cols / 8) * 8;
  let longest = 0;
  let shortest = Number.POSITIVE_INFINITY;
  for (const row of distinct) {
    longest = Math.max(longest, squares[row]!);
    shortest = Math.min(shortest, squares[row]!);
  }
  const byDifference = isByDifference(options, longest <= equalSquares * shortest);
  const scale = longest === 0 ? 1 : 2 ** -Math.ceil(Math.log2(longest) / 2);
  const load = async (start: number, end: number, data: Float32Array): Promise<Rows> => {
    await reader.copy(start, end, data, stride, slices);
    return { data, squaredNorms: squares.subarray(start, end), rows: end - start, cols, stride };
  };
  const sample = async () => {
    const parts = Math.ceil(Math.min(learnedRows, rows) / sampledTogether);
    const numbers = new Float32Array(parts * sampledTogether * cols);
    const buffer = new Float32Array(sampledTogether * stride);
    for (let part = 0; part < parts; part++) {
      const start = Math.floor((part * (rows - sampledTogether)) / Math.max(1, parts - 1));
      const block = await load(start, start + sampledTogether, buffer);
      numbers.set(libraryRows(block, metric, scale).slice(0, sampledTogether), part * sampledTogether * cols);
    }
    return numbers;
  };
  const encode = dtype === 'int8' ? int8Encoder(await sample(), cols, byDifference) : floatEncoder;
  const store = usearchStore(Index, cols, options, byDifference);
  const step = rowsPerCall(cols);

  /** Goes through rows in blocks, and through those that are first of their group in parts for one call. */
  const inParts = async (
    blockRows: number,
    each: (members: Int32Array, prepared: Float32Array | Int8Array, start: number) => void,
    after?: (block: Rows, start: number) => Promise<void>,
  ) => {
    const buffer = new Float32Array(Math.min(blockRows, rows) * stride); // one for all blocks: a new one each would be two at a time
    for (let start = 0; start < rows; start += blockRows) {
      const block = await load(start, Math.min(start + blockRows, rows), buffer);
      const prepared = libraryRows(block, metric, scale);
      for (let row = 0; row < block.rows; ) {
        const members: number[] = [];
        for (; row < block.rows && members.length < step; row++) {
          if (heads[start + row] === start + row) members.push(row);
        }
        if (members.length === 0) continue;
        const vectors = new Float32Array(members.length * cols);
        members.forEach((member, at) => {
          vectors.set(prepared.slice(member, member + 1), at * cols);
        });
        each(Int32Array.from(members), encode(vectors), start);
        if (slices.due()) {
          progress(((start + row) / rows) * 0.45 + (after ? 0.5 : 0));
          await slices.pause();
        }
      }
      await after?.(block, start);
    }
  };

  await inParts(Math.max(1, Math.floor(2 ** 22 / stride)), (members, vectors, start) => {
    const keys = BigUint64Array.from(members, (member) => BigInt(start + member));
    store.add(keys, vectors, threads);
  });

  const lists = neighborLists(rows, k);
  const starts = new Int32Array(rows + 1);
  const distance = canonicalDistance[metric];
  const sampled = sampleRows(rows, recallSample, 0);
  const queries = {
    data: new Float32Array(sampled.length * stride),
    squaredNorms: Float64Array.from(sampled, (row) => squares[row]!),
    rows: sampled.length,
    cols,
    stride,
  };
  const blockRows = Math.max(1, Math.min(rows, Math.floor(blockBytes / (4 * stride + 8 * wanted))));
  const ids = new Int32Array(blockRows * wanted).fill(-1);
  await inParts(
    blockRows,
    (members, vectors, start) => {
      searchStore(store, vectors, members.length, wanted, threads, (query, rank, key) => {
        const member = members[query]!;
        if (key !== start + member) ids[member * wanted + rank] = key;
      });
    },
    async (block, start) => {
      sampled.forEach((row, at) => {
        if (row < start || row >= start + block.rows) return;
        queries.data.set(block.data.subarray((row - start) * stride, (row - start + 1) * stride), at * stride);
      });
      await rankFromSource(
        { queries: block, start, ids, count: wanted },
        reader,
        squares,
        lists,
        distance,
        starts,
        slices,
      );
      ids.fill(-1);
      for (let row = start; row < start + block.rows; row++) {
        lists.sort(row);
        if (row % 256 === 0 && slices.due()) await slices.pause();
      }
    },
  );
  return { neighbors: lists.neighbors, queries, sampled };
}

/** The graph of all rows from that of the first ones of groups of equal rows. */
async function withCopies(
  ranked: Neighbors,
  { heads, next, distinct, squares }: ScannedRows,
  { k, metric }: GraphJoinOptions,
  slices: TimeSlices,
): Promise<Neighbors> {
  const { rows, ids, distances } = ranked;
  if (distinct.length === rows) return ranked;
  const lists = new Uint32Array(2 * rows * k).fill(0xffffffff);
  for (let at = 0; at < ids.length; at++) {
    if (at % 65536 === 0 && slices.due()) await slices.pause();
    if (ids[at]! < 0) continue;
    lists[2 * at] = ids[at]!;
    lists[2 * at + 1] = orderedBits(distances[at]!);
  }
  const ownDistance = distanceToCopies(metric, squares);
  return expandGroups(rows, k, { lists, width: k, groups: { heads, next }, ownDistance }, slices);
}
