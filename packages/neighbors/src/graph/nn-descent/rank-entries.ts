import type { Neighbors, TimeSlices } from '@rarefy/core';
import { type DescentMemory, fromOrderedBits, roundingOf } from '@rarefy/neighbors-wasm';
import { type RankedRows, rankInBlocks } from '../rank-blocks.js';

/** Entries beyond k that are ranked too if rounding to int16 may have moved them there. */
const slack = 4;
const noEntry = 0xffffffff;

/**
 * Ranks the entries of each distinct row's list by canonical distance: the first k, and those after them that may be nearer.
 * @param rowAt the row at each position
 * @param blockBytes of the rows in memory at a time, if the caller does not hold them
 */
export async function rankEntries(
  layout: DescentMemory,
  rowAt: Int32Array,
  rows: RankedRows,
  k: number,
  blockBytes: number,
  slices: TimeSlices,
): Promise<Neighbors> {
  const { buffer } = layout.memory;
  const entries = new Uint32Array(buffer, layout.graph, 2 * layout.rows * layout.width);
  const facts = new Float32Array(buffer, layout.facts, 4 * layout.rows);
  const rounding = roundingOf(layout.cols);
  const count = Math.min(layout.width, k + slack);
  const positionOf = new Int32Array(rows.reader.rows).fill(-1);
  for (const [position, row] of rowAt.entries()) positionOf[row] = position;

  /** Writes the rows of a position's entries to `ids` from `cell` on. */
  const writeCandidates = (position: number, ids: Int32Array, cell: number) => {
    const base = 2 * position * layout.width;
    const scale = facts[4 * position]!;
    const farthest = fromOrderedBits(entries[base + 2 * k - 1]!);
    for (let rank = 0; rank < count; rank++) {
      const entry = entries[base + 2 * rank]!; // a position in its upper 31 bits
      if (entry === noEntry) break;
      const doubt = () => 2 * rounding * scale * Math.max(scale, facts[4 * (entry >>> 1)]!);
      const mayBeNear = rank < k || fromOrderedBits(entries[base + 2 * rank + 1]!) <= farthest + doubt();
      if (mayBeNear) ids[cell + rank] = rowAt[entry >>> 1]!;
    }
  };
  const bytes = rows.reader.held ? Number.POSITIVE_INFINITY : blockBytes;
  return rankInBlocks(
    rows,
    k,
    count,
    bytes,
    async ({ queries, start, ids }) => {
      for (let query = 0; query < queries.rows; query++) {
        if (query % 1024 === 0 && slices.due()) await slices.pause();
        const position = positionOf[start + query]!;
        if (position >= 0) writeCandidates(position, ids, query * count);
      }
    },
    slices,
  );
}
