import type { Metric, TimeSlices } from '@rarefy/core';
import { canonicalDistance } from '../../distance/canonical-distance.js';
import { fromOrderedBits, noEntry, orderedBits } from '../../distance/ordered-bits.js';
import { type DescentMemory, roundingOf } from './descent-memory.js';
import type { RowBlocks } from './row-blocks.js';

/** Neighbors of the first row of each group, as `expandSelfJoin` takes them. */
export interface RankedEntries {
  /** `width` pairs per row: id and canonical distance as ordered bits, both `noEntry` if missing. */
  readonly lists: Uint32Array;
  readonly width: number;
}

/** Entries beyond k that are ranked too, because rounding to int16 may have moved them there. */
const slack = 4;

/**
 * Ranks the first k entries of each row's list by canonical distance, and those after them that may be nearer. Goes over pairs of
 * blocks of rows.
 * @param rowAt the row at each position
 * @param total number of rows
 */
export async function rankEntries(
  layout: DescentMemory,
  rowAt: Int32Array,
  k: number,
  total: number,
  blocks: RowBlocks,
  metric: Metric,
  slices: TimeSlices,
): Promise<RankedEntries> {
  const { memory, graph, rows } = layout;
  const width = Math.min(layout.width, k + slack);
  const entries = new Uint32Array(memory.buffer, graph, 2 * rows * layout.width);
  const facts = new Float32Array(memory.buffer, layout.facts, 4 * rows);
  const rounding = roundingOf(layout.cols);
  const lists = new Uint32Array(2 * total * width); // only the lists of the first rows of groups are used
  const distance = canonicalDistance[metric];
  for (let first = 0; first < blocks.count; first++) {
    const own = await blocks.load(first, slices);
    for (let second = 0; second < blocks.count; second++) {
      const other = second === first ? own : await blocks.load(second, slices);
      for (let position = 0; position < rows; position++) {
        if (position % 64 === 0 && slices.due()) await slices.pause();
        const row = rowAt[position]!;
        if (row < own.start || row >= own.end) continue;
        if (second === 0) lists.fill(noEntry, 2 * row * width, 2 * (row + 1) * width);
        const base = 2 * position * layout.width;
        const scale = facts[4 * position]!;
        const farthest = fromOrderedBits(entries[base + 2 * k - 1]!);
        for (let rank = 0; rank < width; rank++) {
          const entry = entries[base + 2 * rank]!; // its upper 31 bits are a position
          if (entry === noEntry) break;
          if (rank >= k) {
            const doubt = 2 * rounding * scale * Math.max(scale, facts[4 * (entry >>> 1)]!);
            if (fromOrderedBits(entries[base + 2 * rank + 1]!) > farthest + doubt) continue;
          }
          const id = rowAt[entry >>> 1]!;
          if (id < other.start || id >= other.end) continue;
          const pair = 2 * (row * width + rank);
          lists[pair] = id;
          lists[pair + 1] = orderedBits(distance(own.rows, row - own.start, other.rows, id - other.start));
        }
      }
    }
  }
  return { lists, width };
}
