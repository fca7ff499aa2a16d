import { threefry2x32 } from './counter-random.js';

/**
 * 64-bit digest of numbers, as 16 hex digits. It detects changed data but does not resist forgery. Equal doubles give equal digests
 * on every platform; 0 and -0 differ.
 *
 * Each double is encrypted by Threefry-2x32 under the digest so far (Davies-Meyer construction), and the length comes last.
 * @param previous digest to continue from, to chain arrays
 */
export function digest(values: ArrayLike<number>, previous = '0000000000000000'): string {
  const word = new Float64Array(1);
  const halves = new Int32Array(word.buffer);
  const block = new Int32Array(2);
  let high = Number.parseInt(previous.slice(0, 8), 16) | 0;
  let low = Number.parseInt(previous.slice(8), 16) | 0;
  const absorb = (value: number) => {
    word[0] = value;
    threefry2x32(halves[0]!, halves[1]!, high, low, block);
    high = block[0]! ^ halves[0]!;
    low = block[1]! ^ halves[1]!;
  };
  for (let index = 0; index < values.length; index++) absorb(values[index]!);
  absorb(values.length);
  return hex(high) + hex(low);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
