import {
  type CallOptions,
  type Metric,
  type Neighbors,
  startProgress,
  type TimeSlices,
  timeSlices,
} from '@rarefy/core';
import { canonicalDistance, distanceToEqualRow, paddedColumns, type Rows } from '../../distance/canonical-distance.js';
import { libraryRows } from '../../engines/candidates/library-rows.js';
import { blockwiseMemoryBytes } from '../../exact/engine.js';
import { joinRows } from '../../exact/join-rows.js';
import { recallOfSample } from '../../recall/recall-of-rows.js';
import { withRecall } from '../../recall/report-recall.js';
import { expandSelfJoin } from '../../rows/expand-groups.js';
import type { RowReader } from '../../rows/row-reader.js';
import { gatherRows, squareRange, unitScale } from '../../rows/rows.js';
import { sampleRows } from '../../rows/sample-rows.js';
import { blocksOf, type QueryBlock, rankInBlocks } from '../rank-blocks.js';
import { type ScannedRows, scanRows } from '../scan-rows.js';
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
 * The self-join of rows that are read in blocks. The graph stores the rows in its own form and finds candidates, which are ranked
 * by the canonical distance of float32 rows that are read again. Equal rows are one row of the graph.
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
  const { squares } = scanned;
  const source = await distinctSource(reader, scanned, options, slices);
  const store = usearchStore(Index, reader.cols, options, source.byDifference);
  await addToGraph(store, source, threads, slices, (share) => progress.report(Math.floor(rows * 0.45 * share)));
  const nearest = await rankInBlocks(
    { reader, squares, distance: canonicalDistance[metric] },
    k,
    wanted,
    options.blockBytes,
    (block) =>
      findInGraph(store, source, block, wanted, threads, slices, (share) => {
        progress.report(Math.floor(rows * (0.5 + 0.45 * share)));
      }),
    slices,
  );
  const ownDistance = (row: number) => distanceToEqualRow(metric, squares[row]!);
  const neighbors = await expandSelfJoin(nearest, k, scanned, ownDistance, slices);
  const call = { metric, memoryBytes: blockwiseMemoryBytes, signal };
  const sampled = sampleRows(rows, recallSample, 0);
  const graph = withRecall(neighbors, await recallOfSample(reader, squares, sampled, neighbors, call), task, onEvent);
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
async function sampleNumbers(
  { reader, scanned, metric, scale }: DistinctSource,
  slices: TimeSlices,
): Promise<Float32Array> {
  const { rows } = reader;
  const parts = Math.ceil(Math.min(learnedRows, rows) / sampledTogether);
  const sampled = Int32Array.from({ length: parts * sampledTogether }, (_, index) => {
    const part = Math.floor(index / sampledTogether);
    return Math.floor((part * (rows - sampledTogether)) / Math.max(1, parts - 1)) + (index % sampledTogether);
  });
  const gathered = await gatherRows(reader, sampled, scanned.squares, slices);
  return libraryRows(gathered, metric, scale).slice(0, sampled.length);
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
  block: Rows,
  start: number,
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
  for await (const { queries: block, start } of blocksOf(source.reader, source.scanned.squares, blockRows, slices)) {
    for (const { members, vectors, share } of callsOf(source, block, start)) {
      const keys = BigUint64Array.from(members, (member) => BigInt(start + member));
      store.add(keys, vectors, threads);
      if (!slices.due()) continue;
      onShare(share);
      await slices.pause();
    }
  }
}

/** Finds the candidates of the distinct rows of a block, which are distinct rows too. */
async function findInGraph(
  store: UsearchStore,
  source: DistinctSource,
  { queries, start, ids }: QueryBlock,
  wanted: number,
  threads: number,
  slices: TimeSlices,
  onShare: (share: number) => void,
): Promise<void> {
  for (const { members, vectors, share } of callsOf(source, queries, start)) {
    searchStore(store, vectors, members.length, wanted, threads, (query, rank, key) => {
      const member = members[query]!;
      if (key !== start + member) ids[member * wanted + rank] = key;
    });
    if (!slices.due()) continue;
    onShare(share);
    await slices.pause();
  }
}
