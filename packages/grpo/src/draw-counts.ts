import { StateMismatchError } from '@rarefy/core';

/** How often each position was drawn, in a form that a checkpoint can hold. */
export interface DrawCounts {
  /** One a position; longer once positions beyond the first `size` were drawn. */
  readonly counts: Uint32Array;
  /** Positions drawn at least once. */
  readonly distinct: number;
  /** All draws. */
  readonly total: number;
  add(positions: Int32Array): void;
  /** Base64 of the counts, little-endian. */
  state(): string;
  /** @throws StateMismatchError when the state counts more positions than there are. */
  restore(state: string): void;
}

/** Nothing drawn yet, of `size` positions; more may come. */
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
      const size = positions.reduce((largest, position) => Math.max(largest, position + 1), counts.length);
      if (size > counts.length) {
        const grown = new Uint32Array(size);
        grown.set(counts);
        counts = grown;
      }
      total += positions.length;
      for (const position of positions) if (counts[position]!++ === 0) distinct++;
    },
    state() {
      const bytes = Buffer.alloc(4 * counts.length);
      for (const [position, count] of counts.entries()) bytes.writeUInt32LE(count, 4 * position);
      return bytes.toString('base64');
    },
    restore(state) {
      const bytes = Buffer.from(state, 'base64');
      const saved = bytes.length / 4;
      if (saved > size) {
        throw new StateMismatchError(`the saved draw counts are of ${saved} prompts and there are ${size}`);
      }
      counts = Uint32Array.from({ length: size }, (_, at) => (at < saved ? bytes.readUInt32LE(4 * at) : 0));
      distinct = counts.reduce((sum, count) => sum + Math.min(1, count), 0);
      total = counts.reduce((sum, count) => sum + count, 0);
    },
  };
}
