import { type CounterRandom, counterRandom, type Matrix } from '@rarefy/core';
import { walshHadamard } from './walsh-hadamard.js';

/** `count` hashes per point, each made of the signs of a few random projections. */
export interface SignHashes {
  readonly cols: number;
  /** Writes the hashes of rows `from` to `to` - 1 of `points` into `out`: (to - from) x count, each in [0, 2^bits). */
  write(points: Matrix, from: number, to: number, out: Uint16Array): void;
}

/**
 * Signed random projections. Over the seed, two points at angle θ have equal hashes with probability exactly (1 - θ / π)^bits.
 *
 * Projections are computed in blocks, u = H(g ∘ z): z is the point with random signs, spread by a Walsh-Hadamard transform; g
 * holds independent normal values; H is the transform again, truncated to the outputs in use. An entry of u is the projection
 * onto a row of H ∘ g, whose entries are independent normal values. Each bit of a hash comes from a block with its own g, so the
 * bits are independent; hashes of one block share its g and are nearly independent, because z is spread. One bit takes O((cols +
 * count) log cols) operations, where a matrix of projections takes cols × count. The bits are the same on every platform.
 * Sources: Charikar, "Similarity estimation techniques from rounding algorithms", 2002; Ailon & Chazelle, "The fast
 * Johnson-Lindenstrauss transform", 2009.
 */
export function signHashes(cols: number, count: number, bits: number, seed: number): SignHashes {
  const random = counterRandom(seed);
  const size = powerOfTwo(cols);
  const outputs = Math.min(size, powerOfTwo(count));
  const groups = Math.ceil(count / outputs);
  const signs = random.fork(0);
  const flips = Float64Array.from({ length: cols }, (_, col) => (signs.uniform(col) < 0.5 ? -1 : 1));
  const gaussians = gaussianValues(groups * bits * size, random.fork(1));
  const spread = new Float64Array(size);
  const projected = new Float64Array(outputs);
  const words = new Int32Array(projected.buffer); // little-endian: the sign of a value is the top bit of its odd word

  const project = (block: number) => {
    projected.fill(0);
    for (let start = 0; start < size; start += outputs) {
      const offset = block * size + start;
      for (let at = 0; at < outputs; at++) {
        projected[at] = projected[at]! + spread[start + at]! * gaussians[offset + at]!;
      }
    }
    walshHadamard(projected, outputs);
  };

  return {
    cols,
    write({ data }, from, to, out) {
      for (let row = from; row < to; row++) {
        for (let col = 0; col < cols; col++) spread[col] = data[row * cols + col]! * flips[col]!;
        spread.fill(0, cols);
        walshHadamard(spread, size);
        for (let group = 0; group < groups; group++) {
          const base = (row - from) * count + group * outputs;
          const used = Math.min(outputs, count - group * outputs);
          for (let bit = 0; bit < bits; bit++) {
            project(group * bits + bit);
            // No branch, because half of them would be mispredicted.
            if (bit === 0) for (let at = 0; at < used; at++) out[base + at] = words[2 * at + 1]! >>> 31;
            else
              for (let at = 0; at < used; at++) out[base + at] = (out[base + at]! << 1) | (words[2 * at + 1]! >>> 31);
          }
        }
      }
    },
  };
}

/** The smallest power of two that is at least `atLeast`. */
function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}

/**
 * Standard normal values by Marsaglia's polar method. Uses only operations that IEEE 754 rounds exactly, so the bits are the same
 * on every platform.
 * @param random used from index 0 on
 */
export function gaussianValues(count: number, random: CounterRandom): Float64Array {
  const values = new Float64Array(count);
  for (let filled = 0, index = 0; filled < count; index += 2) {
    const x = 2 * random.uniform(index) - 1;
    const y = 2 * random.uniform(index + 1) - 1;
    const square = x * x + y * y;
    if (square >= 1 || square === 0) continue;
    const scale = Math.sqrt((-2 * logarithm(square)) / square);
    values[filled++] = x * scale;
    if (filled < count) values[filled++] = y * scale;
  }
  return values;
}

/** ln of a number in (0, 1]; the last bit of Math.log may differ between engines. */
function logarithm(value: number): number {
  let mantissa = value;
  let halvings = 0;
  for (; mantissa < Math.SQRT1_2; halvings++) mantissa *= 2;
  // 2 artanh(s): 12 terms of the series give all digits for |s| < 0.172
  const s = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let odd = 23; odd >= 1; odd -= 2) sum = sum * s * s + 1 / odd;
  return 2 * s * sum - halvings * Math.LN2;
}
