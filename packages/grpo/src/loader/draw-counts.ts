import { decodeBase64, encodeBase64, StateMismatchError } from '@rarefy/core';

/** How often each position was drawn, in a form that a checkpoint can hold. */
export interface DrawCounts {
  /** One count per position. Grows when a position beyond the initial size is drawn. */
  readonly counts: Uint32Array;
  /** Number of positions drawn at least once. */
  readonly distinct: number;
  /** Number of all draws. */
  readonly total: number;
  add(positions: Int32Array): void;
  /** The counts as base64 of their little-endian bytes. */
  state(): string;
  /** @throws StateMismatchError if the state has more positions than there are. */
  restore(state: string): void;
}

/** Counts of zero for `size` positions. */
export function drawCounts(size: number): DrawCounts {
  let counts = new Uint32Array(size);
  let distinct = 0;
  let total = 0;
  return {
    get counts() {
      return counts;
    },
    get distinct() {
      return distinct;
    },
    get total() {
      return total;
    },
    add(positions) {
      const needed = positions.reduce((largest, position) => Math.max(largest, position + 1), counts.length);
      if (needed > counts.length) {
        const grown = new Uint32Array(needed);
        grown.set(counts);
        counts = grown;
      }
      total += positions.length;
      for (const position of positions) if (counts[position]!++ === 0) distinct++;
    },
    state: () => encodeBase64(counts),
    restore(state) {
      const saved = new Uint32Array(decodeBase64(state).buffer);
      if (saved.length > size) {
        throw new StateMismatchError(
          `the saved draw counts have ${saved.length} prompts, and the data has ${size}; use the data of that run`,
        );
      }
      counts = new Uint32Array(size);
      counts.set(saved);
      distinct = counts.reduce((sum, count) => sum + Math.min(1, count), 0);
      total = counts.reduce((sum, count) => sum + count, 0);
    },
  };
}
