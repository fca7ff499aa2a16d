import type { Rows } from '../rows.js';
import type { TimeSlices } from '../time-slices.js';
import { groupRows, noGroups } from './group-rows.js';

/** How many different rows there are; -0 is 0. */
export async function distinctRowsOf({ data, rows, stride }: Rows, slices: TimeSlices): Promise<number> {
  const words = new Uint32Array(data.buffer, data.byteOffset, rows * stride);
  const hashes = new Uint32Array(2 * rows);
  for (let row = 0; row < rows; row++) {
    if (row % 64 === 0 && slices.due()) await slices.pause();
    let hash = 0;
    for (let at = row * stride, end = at + stride; at < end; at++) {
      const word = words[at]!;
      hash = Math.imul(hash ^ (word === 0x80000000 ? 0 : word), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hashes[2 * row] = hash;
  }
  const groups = noGroups(rows);
  await groupRows(groups, 0, rows, data, stride, hashes, slices);
  let count = 0;
  for (let row = 0; row < rows; row++) if (groups.heads[row] === row) count++;
  return count;
}
