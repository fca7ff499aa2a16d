import { type CounterRandom, checkInteger, InvalidWeightsError } from '@rarefy/core';
import { checkEnough, checkRandom, checkSize, checkWeightList } from './checks.js';
import { lowestKeys } from './lowest-keys.js';

/**
 * Positions drawn one after the other without replacement, each in proportion to the remaining weights (successive sampling, the
 * distribution of numpy's `choice(replace=False, p)`), in draw order. A position of weight 0 is never drawn. O(n).
 *
 * Position i waits an exponential time of rate weight[i], computed only from `random.uniform(first + i)`; the `count` positions
 * with the shortest times are the draws. Source: Efraimidis & Spirakis, "Weighted random sampling with a reservoir", 2006.
 *
 * The probability of being among the draws is not `count` times that of the first draw: see `inclusionProbabilities`.
 * @param weights finite and ≥ 0, of any scale
 * @param first index of the first of the n uniforms that are used
 * @throws InvalidWeightsError naming the first invalid weight, or if fewer than `count` weights are above 0; InvalidArgumentError
 * if `weights` is not an array, `random` not a counter random, `count` not an integer ≥ 0, or there are more than 2^31 - 1 weights.
 */
export function drawWithoutReplacement(
  weights: Float64Array,
  count: number,
  random: CounterRandom,
  first = 0,
): Int32Array {
  checkWeightList(weights);
  checkRandom(random);
  checkSize(weights.length);
  const { possible, smallest, largest } = weightRange(weights, count);
  // Scaling by a power of two is exact, so the keys are the same at every scale. Two steps, because one factor may overflow.
  const exponent = largest > 0 ? Math.floor(Math.log2(largest)) : 0;
  const half = 2 ** -Math.trunc(exponent / 2);
  const otherHalf = 2 ** -(exponent - Math.trunc(exponent / 2));
  // If the weights are too far apart for a quotient, keys are logarithms of the waiting times; 4096 keeps them positive.
  const isWide = !(largest / smallest < 2 ** 1000);

  const keys = new Float64Array(possible);
  const positions = new Int32Array(possible);
  /** Computes keys up to `bound` for the first `length` of every `stride` positions. Returns their number. */
  const collect = (bound: number, stride: number, length: number) => {
    const uniforms = new Float64Array(length);
    let filled = 0;
    for (let start = 0; start < weights.length; start += stride) {
      random.fill(first + start, uniforms);
      const end = Math.min(weights.length, start + length);
      for (let position = start; position < end; position++) {
        const weight = weights[position]!;
        if (weight === 0) continue;
        const uniform = uniforms[position - start]!;
        const rate = weight * half * otherHalf;
        if (uniform > bound * rate) continue; // the waiting time is longer than this quotient, so it is above the bound
        const time = 0 - Math.log(1 - uniform); // 1 - uniform is exact
        if (isWide) keys[filled] = time > 0 ? 4096 + Math.log(time) - Math.log(weight) : 0;
        else keys[filled] = time / rate;
        positions[filled++] = position;
      }
    }
    return filled;
  };
  const block = Math.min(1024, weights.length);
  let bound = Infinity;
  const stride = Math.floor(weights.length / 4096);
  if (stride >= 16 && !isWide) {
    const sampled = collect(Infinity, stride, 1);
    bound = likelyBound(keys.slice(0, sampled), count / possible);
  }
  let filled = collect(bound, block, block);
  if (filled < count) filled = collect(Infinity, block, block);
  return lowestKeys(keys.subarray(0, filled), count).map((index) => positions[index]!);
}

/** A bound that is above the wanted share of all keys with a probability of about 1 - 1e-6, estimated from a sample of them. */
function likelyBound(sample: Float64Array, share: number): number {
  const wanted = sample.length * share;
  return sample.sort()[Math.ceil(wanted + 5 * Math.sqrt(wanted) + 10)] ?? Infinity;
}

/** Checks weights and count. Returns the number, the smallest and the largest of the weights above 0. */
function weightRange(weights: Float64Array, count: number): { possible: number; smallest: number; largest: number } {
  checkInteger('count', count, 0);
  let possible = 0;
  let smallest = Infinity;
  let largest = 0;
  for (let position = 0; position < weights.length; position++) {
    const weight = weights[position]!;
    if (!(weight >= 0 && weight < Infinity)) {
      throw new InvalidWeightsError(`weight ${weight} at position ${position}: weights must be finite and ≥ 0`);
    }
    if (weight === 0) continue;
    possible++;
    if (weight < smallest) smallest = weight;
    if (weight > largest) largest = weight;
  }
  checkEnough(count, possible, weights.length);
  return { possible, smallest, largest };
}
