import { counterRandom, type Draws, digest, InvalidArgumentError, type Sampler } from '@rarefy/core';
import { placeState, readPlace } from './sampler-state.js';
import { checkCount } from './structures/check-count.js';
import { checkEnough, checkTotal } from './structures/check-drawable.js';
import { checkedWeight } from './structures/check-weight.js';
import { drawWithoutReplacement } from './structures/exponential-keys.js';
import { inclusionProbabilities } from './structures/inclusion-probabilities.js';

export interface SubsetSamplerOptions {
  /** Any safe integer. Draw n depends on the seed, n and the weights alone. */
  readonly seed: number;
  /** Draws an epoch; default all positions of weight above 0. */
  readonly budget?: number;
  /** Epochs until the sampler is finished; default Infinity. */
  readonly epochs?: number;
}

/** Draws without replacement within an epoch, and anew in the next. */
export interface SubsetSampler extends Sampler {
  /** Draws an epoch. */
  readonly budget: number;
  /** The chances are those of a draw given the draws of its epoch before it. */
  draw(count: number): Required<Omit<Draws, 'version'>>;
  probabilities(): Float64Array;
  /**
   * Chance of each position to be in an epoch, where the budget is above a tenth of the positions that can be drawn and this is far
   * from budget × probability; else undefined. Computed when first read, 20 µs a position.
   */
  readonly inclusion: Float64Array | undefined;
}

/** The draws of one epoch. */
interface Epoch {
  readonly index: number;
  readonly positions: Int32Array;
  /** What was left of the weights before each draw. */
  readonly totals: Float64Array;
}

/**
 * A sampler without replacement: each epoch draws `budget` different positions, one after the other in proportion to the weights
 * left (exact successive sampling). With equal weights and no budget it is shuffling. An epoch begins with O(n) work, 50 ns a
 * position; its draws are free.
 * @param weights one a position, finite and ≥ 0; copied
 * @throws InvalidWeightsError naming the first bad weight, or when fewer than `budget` are above 0; InvalidArgumentError for a bad
 * seed, budget or number of epochs.
 */
export function subsetSampler(
  weights: ArrayLike<number>,
  { seed, budget: wanted, epochs = Infinity }: SubsetSamplerOptions,
): SubsetSampler {
  const random = counterRandom(seed);
  const initial = Float64Array.from(weights, checkedWeight);
  const possible = initial.reduce((sum, weight) => sum + (weight > 0 ? 1 : 0), 0);
  checkTotal(possible, initial.length);
  const budget = wanted ?? possible;
  if (!(Number.isSafeInteger(budget) && budget >= 1)) {
    throw new InvalidArgumentError(`budget must be an integer ≥ 1, got ${budget}`);
  }
  checkEnough(budget, possible, initial.length);
  if (!(epochs === Infinity || (Number.isSafeInteger(epochs) && epochs >= 1))) {
    throw new InvalidArgumentError(`epochs must be an integer ≥ 1 or Infinity, got ${epochs}`);
  }
  const weightsDigest = digest(initial);
  const fingerprint = `subset-sampler:size=${initial.length},weights=${weightsDigest},seed=${seed},budget=${budget},epochs=${epochs}`;
  const digestAt = (index: number) => digest([seed, index], weightsDigest);
  const end = budget * epochs;
  let next = 0;
  let current: Epoch | undefined;
  let inclusion: Float64Array | undefined;

  const epochAt = (index: number): Epoch => {
    if (current?.index === index) return current;
    const positions = drawWithoutReplacement(initial, budget, random.fork(index));
    // Summed up from the end, so that nothing is lost to cancellation when little is left.
    const isDrawn = new Uint8Array(initial.length);
    for (const position of positions) isDrawn[position] = 1;
    let left = 0;
    for (let position = 0; position < initial.length; position++) if (!isDrawn[position]) left += initial[position]!;
    const totals = new Float64Array(budget);
    for (let draw = budget - 1; draw >= 0; draw--) totals[draw] = left += initial[positions[draw]!]!;
    current = { index, positions, totals };
    return current;
  };

  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    // Below a whole epoch of all positions, one may come again in the next epoch before another came at all.
    capabilities: { replacement: budget < possible && epochs > 1, finite: epochs !== Infinity, adaptive: false },
    budget,
    get inclusion() {
      if (budget > possible / 10) inclusion ??= inclusionProbabilities(initial, budget);
      return inclusion?.slice();
    },
    draw(count) {
      checkCount(count);
      const first = next;
      const drawn = Math.min(count, end - next);
      const positions = new Int32Array(drawn);
      const probabilities = new Float64Array(drawn);
      for (let draw = 0; draw < drawn; draw++, next++) {
        const epoch = epochAt(Math.floor(next / budget));
        const place = next % budget;
        const position = epoch.positions[place]!;
        positions[draw] = position;
        probabilities[draw] = initial[position]! / epoch.totals[place]!;
      }
      return { positions, probabilities, first };
    },
    /** All 0 when the sampler is finished. */
    probabilities() {
      if (next === end) return new Float64Array(initial.length);
      const epoch = epochAt(Math.floor(next / budget));
      const place = next % budget;
      const left = initial.slice();
      for (const position of epoch.positions.subarray(0, place)) left[position] = 0;
      return left.map((weight) => weight / epoch.totals[place]!);
    },
    state: () => placeState(fingerprint, seed, next, digestAt(next)),
    restore(state) {
      next = readPlace(state, fingerprint, seed, digestAt);
    },
  };
}
