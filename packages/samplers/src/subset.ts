import {
  checkInteger,
  checkOptions,
  counterRandom,
  type Draws,
  digest,
  InvalidArgumentError,
  type IterableSampler,
  iterableSampler,
  shown,
} from '@rarefy/core';
import { readStreamState, streamState } from './state/sampler-state.js';
import { checkEnough, checkedWeight, checkTotal, checkWeightList } from './structures/checks.js';
import { drawWithoutReplacement } from './structures/exponential-keys.js';
import { inclusionProbabilities } from './structures/inclusion-probabilities.js';

export interface SubsetSamplerOptions {
  /** Any safe integer. Draw n depends only on the seed, n and the weights. */
  readonly seed: number;
  /** Draws per epoch, an integer ≥ 1. Default: all positions of weight above 0. */
  readonly budget?: number;
  /** Epochs until the sampler is finished, an integer ≥ 1 or Infinity. Default Infinity. */
  readonly epochs?: number;
}

const optionNames = ['seed', 'budget', 'epochs'] satisfies (keyof SubsetSamplerOptions)[];

/** Draws without replacement within each epoch; every epoch starts with all positions. */
export interface SubsetSampler extends IterableSampler {
  /** Draws per epoch. */
  readonly budget: number;
  /** Each probability is conditional on the earlier draws of the same epoch. */
  draw(count: number): Required<Omit<Draws, 'version'>>;
  probabilities(): Float64Array;
  /**
   * Probability of each position to be in an epoch, if the budget is above a tenth of the positions that can be drawn; undefined
   * otherwise, when it is close to budget × probability. Computed when first read; see `inclusionProbabilities`.
   */
  readonly inclusion: Float64Array | undefined;
}

/** The draws of one epoch. */
interface Epoch {
  readonly index: number;
  readonly positions: Int32Array;
  /** Sum of the remaining weights before each draw. */
  readonly totals: Float64Array;
}

/**
 * A sampler without replacement: each epoch draws `budget` different positions, one after the other in proportion to the
 * remaining weights (exact successive sampling). With equal weights and no budget it shuffles. Each epoch starts with O(n) work;
 * a draw is then O(1).
 * @param weights one per position, finite and ≥ 0; copied
 * @throws InvalidWeightsError naming the first invalid weight, or if fewer than `budget` are above 0; InvalidArgumentError if the
 * seed, the budget or the number of epochs is invalid, or an option is unknown.
 */
export function subsetSampler(weights: ArrayLike<number>, options: SubsetSamplerOptions): SubsetSampler {
  const { seed, budget: wanted, epochs = Infinity } = checkOptions(options, optionNames, 'subsetSampler');
  const random = counterRandom(seed);
  checkWeightList(weights);
  const initial = Float64Array.from(weights, checkedWeight);
  const possible = initial.reduce((sum, weight) => sum + (weight > 0 ? 1 : 0), 0);
  checkTotal(possible, initial.length);
  const budget = wanted ?? possible;
  checkInteger('budget', budget, 1);
  checkEnough(budget, possible, initial.length);
  if (!(epochs === Infinity || (Number.isSafeInteger(epochs) && epochs >= 1))) {
    throw new InvalidArgumentError(`epochs must be an integer ≥ 1 or Infinity, got ${shown(epochs)}`);
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
    // Summed from the end, so that small remainders lose no digits to cancellation.
    const isDrawn = new Uint8Array(initial.length);
    for (const position of positions) isDrawn[position] = 1;
    let left = 0;
    for (let position = 0; position < initial.length; position++) if (!isDrawn[position]) left += initial[position]!;
    const totals = new Float64Array(budget);
    for (let draw = budget - 1; draw >= 0; draw--) totals[draw] = left += initial[positions[draw]!]!;
    current = { index, positions, totals };
    return current;
  };

  return iterableSampler<Omit<SubsetSampler, typeof Symbol.iterator>>({
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    // If an epoch does not draw all positions, one may be drawn in two epochs before another is drawn at all.
    capabilities: { replacement: budget < possible && epochs > 1, finite: epochs !== Infinity, adaptive: false },
    budget,
    get inclusion() {
      if (budget > possible / 10) inclusion ??= inclusionProbabilities(initial, budget);
      return inclusion?.slice();
    },
    draw(count) {
      checkInteger('count', count, 0);
      const first = next;
      const drawn = Math.min(count, end - next);
      const positions = new Int32Array(drawn);
      const probabilities = new Float64Array(drawn);
      for (let draw = 0; draw < drawn; draw++, next++) {
        const epoch = epochAt(Math.floor(next / budget));
        const index = next % budget;
        const position = epoch.positions[index]!;
        positions[draw] = position;
        probabilities[draw] = initial[position]! / epoch.totals[index]!;
      }
      return { positions, probabilities, first };
    },
    /** All 0 if the sampler is finished. */
    probabilities() {
      if (next === end) return new Float64Array(initial.length);
      const epoch = epochAt(Math.floor(next / budget));
      const index = next % budget;
      const left = initial.slice();
      for (const position of epoch.positions.subarray(0, index)) left[position] = 0;
      return left.map((weight) => weight / epoch.totals[index]!);
    },
    state: () => streamState(fingerprint, seed, next, digestAt(next)),
    restore(state) {
      next = readStreamState(state, fingerprint, seed, digestAt);
    },
  });
}
