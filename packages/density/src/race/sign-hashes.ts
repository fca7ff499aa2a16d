import { counterRandom, type Matrix } from '@rarefy/core';
import { gaussianValues } from './gaussian-values.js';
import { walshHadamard } from './walsh-hadamard.js';

/** Many hashes of a point, each made of the signs of some random projections. */
export interface SignHashes {
  readonly cols: number;
  /** Hashes of rows `from` to `to` - 1 of `points`, in [0, 2^bits): (to - from) x count, into `out`. */
  write(points: Matrix, from: number, to: number, out: Uint16Array): void;
}

/**
 * Signed random projections. Two points at angle θ have an equal hash with chance exactly (1 - θ / π)^bits, over the seed.
 *
 * Projections come in blocks, u = H(g ∘ z): z is the point with random signs, spread by a Walsh-Hadamard transform; g holds independent
 * normal values; H is the transform again, shortened to as many outputs as are used. An entry of u is the projection on a row of
 * H ∘ g, which are independent normal values themselves. The bits of a hash are taken from blocks with a g of their own, so they are
 * independent; hashes next to each other share blocks and are nearly so, since z is spread. This takes O(cols + count) × log a bit
 * where a matrix of projections takes cols × count. All arithmetic has the same bits on every platform.
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
  const words = new Int32Array(projected.buffer); // little-endian: the sign of a value is the first bit of its odd word

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
            // No branch: half of them would be mispredicted.
            if (bit === 0) for (let at = 0; at < used; at++) out[base + at] = words[2 * at + 1]! >>> 31;
            else
              for (let at = 0; at < used; at++) out[base + at] = (out[base + at]! << 1) | (words[2 * at + 1]! >>> 31);
          }
        }
      }
    },
  };
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}
