import { checkSeed } from '../checks.js';
import { fillPairs } from './fill-pairs.js';

/**
 * Uniform doubles addressed by index: value n depends only on the seed and n. Any worker can compute any part of the stream, and
 * the index alone is enough to resume it.
 *
 * Uses Threefry-2x32 with 20 rounds, the generator of JAX.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
export interface CounterRandom {
  /** Value at `index` (a non-negative safe integer): 53 random bits in [0, 1). */
  uniform(index: number): number;
  /** Fills `out` with the values at `first`, `first + 1` and so on. Same values as `uniform`, in half the time. */
  fill(first: number, out: Float64Array): void;
  /** An independent stream, named by an integer: for example one for draws, one for shuffling, one per worker. */
  fork(stream: number): CounterRandom;
}

/**
 * @param seed any safe integer; both of its 32-bit halves are used
 * @throws InvalidArgumentError if `seed` is not a safe integer.
 */
export function counterRandom(seed: number): CounterRandom {
  checkSeed(seed);
  return withKey(seed | 0, Math.floor(seed / 2 ** 32) | 0);
}

function withKey(key0: number, key1: number): CounterRandom {
  const block = new Int32Array(2);
  const uniform = (index: number) => {
    threefry2x32(index | 0, Math.floor(index / 2 ** 32) | 0, key0, key1, block);
    return ((block[0]! >>> 5) * 2 ** 26 + (block[1]! >>> 6)) * 2 ** -53;
  };
  return {
    uniform,
    fill(first, out) {
      for (let start = 0; start < out.length; ) {
        const index = first + start;
        const end = Math.min(out.length, start + 2 ** 32 - (index % 2 ** 32)); // the upper word changes after this value
        fillPairs(index | 0, Math.floor(index / 2 ** 32) | 0, key0, key1, out.subarray(start, end));
        if ((end - start) % 2 === 1) out[end - 1] = uniform(first + end - 1);
        start = end;
      }
    },
    fork(stream) {
      threefry2x32(stream | 0, -1, key0, key1, block); // no index of uniform() has this upper word
      return withKey(block[0]!, block[1]!);
    },
  };
}

/**
 * Encrypts one block, two counter words under two key words, into `out`. The rounds are unrolled because a loop over them takes
 * four times as long (V8, Node 20, x64).
 */
export function threefry2x32(counter0: number, counter1: number, key0: number, key1: number, out: Int32Array): void {
  const key2 = key0 ^ key1 ^ 0x1bd11bda;
  let x = (counter0 + key0) | 0;
  let y = (counter1 + key1) | 0;
  x = (x + y) | 0;
  y = ((y << 13) | (y >>> 19)) ^ x;
  x = (x + y) | 0;
  y = ((y << 15) | (y >>> 17)) ^ x;
  x = (x + y) | 0;
  y = ((y << 26) | (y >>> 6)) ^ x;
  x = (x + y) | 0;
  y = ((y << 6) | (y >>> 26)) ^ x;
  x = (x + key1) | 0;
  y = (y + key2 + 1) | 0;
  x = (x + y) | 0;
  y = ((y << 17) | (y >>> 15)) ^ x;
  x = (x + y) | 0;
  y = ((y << 29) | (y >>> 3)) ^ x;
  x = (x + y) | 0;
  y = ((y << 16) | (y >>> 16)) ^ x;
  x = (x + y) | 0;
  y = ((y << 24) | (y >>> 8)) ^ x;
  x = (x + key2) | 0;
  y = (y + key0 + 2) | 0;
  x = (x + y) | 0;
  y = ((y << 13) | (y >>> 19)) ^ x;
  x = (x + y) | 0;
  y = ((y << 15) | (y >>> 17)) ^ x;
  x = (x + y) | 0;
  y = ((y << 26) | (y >>> 6)) ^ x;
  x = (x + y) | 0;
  y = ((y << 6) | (y >>> 26)) ^ x;
  x = (x + key0) | 0;
  y = (y + key1 + 3) | 0;
  x = (x + y) | 0;
  y = ((y << 17) | (y >>> 15)) ^ x;
  x = (x + y) | 0;
  y = ((y << 29) | (y >>> 3)) ^ x;
  x = (x + y) | 0;
  y = ((y << 16) | (y >>> 16)) ^ x;
  x = (x + y) | 0;
  y = ((y << 24) | (y >>> 8)) ^ x;
  x = (x + key1) | 0;
  y = (y + key2 + 4) | 0;
  x = (x + y) | 0;
  y = ((y << 13) | (y >>> 19)) ^ x;
  x = (x + y) | 0;
  y = ((y << 15) | (y >>> 17)) ^ x;
  x = (x + y) | 0;
  y = ((y << 26) | (y >>> 6)) ^ x;
  x = (x + y) | 0;
  y = ((y << 6) | (y >>> 26)) ^ x;
  x = (x + key2) | 0;
  y = (y + key0 + 5) | 0;
  out[0] = x;
  out[1] = y;
}
