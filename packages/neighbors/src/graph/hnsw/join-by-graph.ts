import {
  type CallOptions,
  type Metric,
  type Neighbors,
  startProgress,
  type TimeSlices,
  timeSlices,
} from '@rarefy/core';
import { canonicalDistance, distanceToEqualRow, paddedColumns, type Rows } from '../../distance/canonical-distance.js';
import { noEntry, orderedBits } from '../../distance/ordered-bits.js';
import { libraryRows } from '../../engines/candidates/library-rows.js';
import { blockwiseMemoryBytes } from '../../exact/engine.js';
import { joinRows } from '../../exact/join-rows.js';
import { copySampled, emptySample, recallOfSample } from '../../recall/recall-of-rows.js';
import { withRecall } from '../../recall/report-recall.js';
import { expandSelfJoin } from '../../rows/expand-groups.js';
import { neighborLists } from '../../rows/neighbor-lists.js';
import type { RowReader } from '../../rows/row-reader.js';
import { squareRange, unitScale } from '../../rows/rows.js';
import { sampleRows } from '../../rows/sample-rows.js';
import { type ScannedRows, scanRows } from '../scan-rows.js';
import { rankFromSource } from './rank-from-source.js';
import { floatEncoder, int8Encoder, type RowEncoder } from './row-encoder.js';
import {
  type GraphSettings,
  isByDifference,
  learnedRows,
  rowsPerCall,
  searchStore,
  type Usearch,
  type UsearchStore,
  usearchStore,
} from './usearch-engine.js';

/** Up to this many distinct rows, all pairs are compared. */
const exactRows = 1024;
const recallSample = 1000;
/** Numbers per block of rows that are added to the graph. */
const addNumbers = 2 ** 22;
/** Consecutive rows that are read together for a sample of the numbers. */
const sampledTogether = 64;
/** Rows count as equally long if the largest x · x is at most this many times the smallest. */
const equalSquares = 1.002;

export type GraphJoinOptions = CallOptions &
  GraphSettings & {
    readonly k: number;
    /** Bytes of queries and their candidates in memory at a time. Does not change the result. */
    readonly blockBytes: number;
  };

/**
 * The self-join of rows that are read in blocks. The graph stores the rows in its own form and finds candidates, which are ranked by
 * the canonical distance of float32 rows that are read again. Equal rows are one row of the graph.
 */
export async function joinByGraph(
  Index: Usearch['Index'],
  reader: RowReader,
  options: GraphJoinOptions,
): Promise<Neighbors> {
  const { k, metric, threads, signal, onEvent } = options;
  const { rows } = reader;
  const task = 'hnsw';
  const slices = timeSlices(signal);
  const progress = startProgress(task, rows, onEvent);
  const wanted = 2 * k + 32;
  const scanned = rows <= exactRows ? undefined : await scanRows(reader, slices);
  if (scanned === undefined || scanned.distinct.length <= Math.max(exactRows, 4 * wanted)) {
    const exact = await joinRows(reader, { k, metric, memoryBytes: blockwiseMemoryBytes, signal });
    const graph = withRecall(exact, { value: 1, sampledRows: rows }, task, onEvent);
    progress.end();
    return graph;
  }
  const source = await distinctSource(reader, scanned, options, slices);
  const store = usearchStore(Index, reader.cols, options, source.byDifference);
  await addToGraph(store, source, threads, slices, (share) => progress.report(Math.floor(rows * 0.45 * share)));
  const sampled = sampleRows(rows, recallSample, 0);
  const sample = emptySample(sampled, scanned.squares, reader.cols);
  const ranked = await searchGraph(store, source, wanted, options, slices, {
    onBlock: (block, start) => copySampled(sample, sampled, block, start),
    onShare: (share) => progress.report(Math.floor(rows * (0.5 + 0.45 * share))),
  });
  const neighbors = await withCopies(ranked, scanned, metric, slices);
  const call = { metric, memoryBytes: blockwiseMemoryBytes, signal };
  const recall = await recallOfSample(sample, sampled, reader, neighbors, call);
  const graph = withRecall(neighbors, recall, task, onEvent);
  progress.end();
  return graph;
}

/** The distinct rows of a reader, with the form in which the graph takes them. */
interface DistinctSource {
  readonly reader: RowReader;
  readonly scanned: ScannedRows;
  readonly metric: Metric;
  /** Whether the graph compares rows by their differences. */
  readonly byDifference: boolean;
  /** Power of two that rows are multiplied by. */
  readonly scale: number;
  readonly encode: RowEncoder;
}

async function distinctSource(
  reader: RowReader,
  scanned: ScannedRows,
  options: GraphJoinOptions,
  slices: TimeSlices,
): Promise<DistinctSource> {
  const { metric, dtype } = options;
  const { least, most } = squareRange(scanned.squares, scanned.distinct);
  const byDifference = isByDifference(options, most <= equalSquares * least);
  const source = { reader, scanned, metric, byDifference, scale: unitScale(most), encode: floatEncoder };
  if (dtype !== 'int8') return source;
  return { ...source, encode: int8Encoder(await sampleNumbers(source, slices), reader.cols, byDifference) };
}

/** Rows spread over the source, in the form of libraries. */
async function sampleNumbers(source: DistinctSource, slices: TimeSlices): Promise<Float32Array> {
  const { rows, cols } = source.reader;
  const parts = Math.ceil(Math.min(learnedRows, rows) / sampledTogether);
  const numbers = new Float32Array(parts * sampledTogether * cols);
  const buffer = new Float32Array(sampledTogether * paddedColumns(cols));
  for (let part = 0; part < parts; part++) {
    const start = Math.floor((part * (rows - sampledTogether)) / Math.max(1, parts - 1));
    const block = await readBlock(source, start, start + sampledTogether, buffer, slices);
    const taken = libraryRows(block, source.metric, source.scale).slice(0, sampledTogether);
    numbers.set(taken, part * sampledTogether * cols);
  }
  return numbers;
}

/** Reads rows [start, end) into a buffer. */
async function readBlock(
  { reader, scanned }: DistinctSource,
  start: number,
  end: number,
  data: Float32Array,
  slices: TimeSlices,
): Promise<Rows> {
  const stride = paddedColumns(reader.cols);
  await reader.copy(start, end, data, stride, slices);
  return { data, squaredNorms: scanned.squares.subarray(start, end), rows: end - start, cols: reader.cols, stride };
}

/** A block of rows that was read. */
interface SourceBlock {
  readonly block: Rows;
  readonly start: number;
}

/** Reads all rows in blocks. All blocks share one buffer, since a new one for each would mean two in memory at a time. */
async function* blocksOf(source: DistinctSource, blockRows: number, slices: TimeSlices): AsyncGenerator<SourceBlock> {
  const { rows, cols } = source.reader;
  const buffer = new Float32Array(Math.min(blockRows, rows) * paddedColumns(cols));
  for (let start = 0; start < rows; start += blockRows) {
    yield { block: await readBlock(source, start, Math.min(start + blockRows, rows), buffer, slices), start };
  }
}

/** Rows for one call of usearch: the distinct ones among consecutive rows of a block. */
interface CallRows {
  /** Their numbers in the block. */
  readonly members: Int32Array;
  readonly vectors: Float32Array | Int8Array;
  /** Share of all rows that are behind. */
  readonly share: number;
}

function* callsOf(
  { reader, scanned, metric, scale, encode }: DistinctSource,
  { block, start }: SourceBlock,
): Generator<CallRows> {
  const { heads } = scanned;
  const prepared = libraryRows(block, metric, scale);
  const step = rowsPerCall(reader.cols);
  for (let row = 0; row < block.rows; ) {
    const members: number[] = [];
    for (; row < block.rows && members.length < step; row++) {
      if (heads[start + row] === start + row) members.push(row);
    }
    if (members.length === 0) return;
    const share = (start + row) / reader.rows;
    yield { members: Int32Array.from(members), vectors: encode(prepared.pick(members)), share };
  }
}

async function addToGraph(
  store: UsearchStore,
  source: DistinctSource,
  threads: number,
  slices: TimeSlices,
  onShare: (share: number) => void,
): Promise<void> {
  const blockRows = Math.max(1, Math.floor(addNumbers / paddedColumns(source.reader.cols)));
  for await (const block of blocksOf(source, blockRows, slices)) {
    for (const { members, vectors, share } of callsOf(source, block)) {
      const keys = BigUint64Array.from(members, (member) => BigInt(block.start + member));
      store.add(keys, vectors, threads);
      if (!slices.due()) continue;
      onShare(share);
      await slices.pause();
    }
  }
}

interface SearchEvents {
  /** Receives each block of rows; its memory is used again for the next one. */
  onBlock(block: Rows, start: number): void;
  onShare(share: number): void;
}

/** Finds and ranks the neighbors of each distinct row among the distinct rows. The lists of other rows stay empty. */
async function searchGraph(
  store: UsearchStore,
  source: DistinctSource,
  wanted: number,
  { k, metric, threads, blockBytes }: GraphJoinOptions,
  slices: TimeSlices,
  { onBlock, onShare }: SearchEvents,
): Promise<Neighbors> {
  const { reader, scanned } = source;
  const { rows, cols } = reader;
  const lists = neighborLists(rows, k);
  const starts = new Int32Array(rows + 1);
  const rowBytes = 4 * paddedColumns(cols) + 8 * wanted;
  const blockRows = Math.max(1, Math.min(rows, Math.floor(blockBytes / rowBytes)));
  const ids = new Int32Array(blockRows * wanted);
  for await (const { block, start } of blocksOf(source, blockRows, slices)) {
    ids.fill(-1);
    for (const { members, vectors, share } of callsOf(source, { block, start })) {
      searchStore(store, vectors, members.length, wanted, threads, (query, rank, key) => {
        const member = members[query]!;
        if (key !== start + member) ids[member * wanted + rank] = key;
      });
      if (!slices.due()) continue;
      onShare(share);
      await slices.pause();
    }
    onBlock(block, start);
    const candidates = { queries: block, start, ids, count: wanted };
    await rankFromSource(candidates, reader, scanned.squares, lists, canonicalDistance[metric], starts, slices);
    for (let row = start; row < start + block.rows; row++) {
      lists.sort(row);
      if (row % 256 === 0 && slices.due()) await slices.pause();
    }
  }
  return lists.neighbors;
}

/** The graph of all rows, from that of the first rows of groups of equal rows. */
async function withCopies(
  ranked: Neighbors,
  scanned: ScannedRows,
  metric: Metric,
  slices: TimeSlices,
): Promise<Neighbors> {
  const { rows, k, ids, distances } = ranked;
  if (scanned.distinct.length === rows) return ranked;
  const lists = new Uint32Array(2 * rows * k).fill(noEntry);
  for (let cell = 0; cell < ids.length; cell++) {
    if (cell % 65536 === 0 && slices.due()) await slices.pause();
    if (ids[cell]! < 0) continue;
    lists[2 * cell] = ids[cell]!;
    lists[2 * cell + 1] = orderedBits(distances[cell]!);
  }
  const ownDistance = (row: number) => distanceToEqualRow(metric, scanned.squares[row]!);
  return expandSelfJoin(rows, k, { lists, width: k, groups: scanned }, ownDistance, slices);
}
