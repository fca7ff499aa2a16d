import type { Metric } from '@rarefy/core';
import { canonicalDistance } from '../exact/canonical-distance.js';
import { orderedBits } from '../exact/join/expand-groups.js';
import type { TimeSlices } from '../exact/time-slices.js';
import { type DescentMemory, roundingOf } from './descent-memory.js';
import type { RowBlocks } from './row-blocks.js';

/** Pairs of a row and its canonical distance, for the first row of each group, as `expandGroups` takes them. */
export interface RankedEntries {
  /** `width` pairs a row: id, and distance in the order of unsigned integers; both 0xffffffff for none. */
  readonly lists: Uint32Array;
  readonly width: number;
}

const none = 0xffffffff;

/** Entries beyond k that int16 rounding may have put there, at most. */
const slack = 4;

/**
 * The nearest k entries of each row's list with their canonical distances, and those behind them that may be nearer. Rows are looked
 * at in pairs of blocks.
 * @param rowAt the row at each position
 */
export async function rankEntries(
  place: DescentMemory,
  rowAt: Int32Array,
  k: number,
  total: number,
  blocks: RowBlocks,
  metric: Metric,
  slices: TimeSlices,
): Promise<RankedEntries> {
  const { memory, graph, rows } = place;
  const width = Math.min(place.width, k + slack);
  const entries = new Uint32Array(memory.buffer, graph, 2 * rows * place.width);
  const fact = new Float32Array(memory.buffer, place.facts, 4 * rows);
  const rounding = roundingOf(place.cols);
  const lists = new Uint32Array(2 * total * width); // of a row that is not the first of its group nothing is read
  const distance = canonicalDistance[metric];
  for (let first = 0; first < blocks.count; first++) {
    const own = await blocks.load(first, slices);
    for (let second = 0; second < blocks.count; second++) {
      const other = second === first ? own : await blocks.load(second, slices);
      for (let position = 0; position < rows; position++) {
        if (position % 64 === 0 && slices.due()) await slices.pause();
        const row = rowAt[position]!;
        if (row < own.start || row >= own.end) continue;
        if (second === 0) lists.fill(none, 2 * row * width, 2 * (row + 1) * width);
        const base = 2 * position * place.width;
        const scale = fact[4 * position]!;
        const farthest = entryValue(entries[base + 2 * k - 1]!);
        for (let rank = 0; rank < width; rank++) {
          const entry = entries[base + 2 * rank]!;
          if (entry === none) break;
          if (rank >= k) {
            const doubt = 2 * rounding * scale * Math.max(scale, fact[4 * (entry >>> 1)]!);
            if (entryValue(entries[base + 2 * rank + 1]!) > farthest + doubt) continue;
          }
          const id = rowAt[entry >>> 1]!;
          if (id < other.start || id >= other.end) continue;
          const at = 2 * (row * width + rank);
          lists[at] = id;
          lists[at + 1] = orderedBits(distance(own.rows, row - own.start, other.rows, id - other.start));
        }
      }
    }
  }
  return { lists, width };
}

/** The value of an entry from its upper word. */
function entryValue(ordered: number): number {
  bits[0] = ordered >>> 31 ? ordered ^ 0x80000000 : ~ordered;
  return value[0]!;
}

const value = new Float32Array(1);
const bits = new Int32Array(value.buffer);
