import {
  checkInteger,
  checkOptions,
  counterRandom,
  type Draws,
  digest,
  type IterableSampler,
  iterableSampler,
} from '@rarefy/core';
import { lazily, readStreamState, streamState } from './state/sampler-state.js';
import { aliasTable } from './structures/alias-table.js';
import { copyWeights } from './structures/checks.js';

export interface FrozenWeightedSamplerOptions {
  /** Any safe integer. Draw n depends only on the seed, n and the weights. */
  readonly seed: number;
}

/** Draws with replacement, in proportion to weights that never change. */
export interface FrozenWeightedSampler extends IterableSampler {
  readonly weightsVersion: 0;
  draw(count: number): Required<Draws>;
  probabilities(): Float64Array;
  /** A copy of the weights. */
  weights(): Float64Array;
}

/**
 * An endless stream of positions with replacement, like `weightedSampler`, but with immutable weights. Draws come from an alias
 * table: O(1) each instead of O(log n), but a different sequence for the same seed.
 * @param weights one per position, finite and ≥ 0, not all zero; copied
 * @throws InvalidWeightsError naming the first invalid weight, or if all are zero; InvalidArgumentError if the seed is not a safe
 * integer or an option is unknown.
 */
export function frozenWeightedSampler(
  weights: ArrayLike<number>,
  options: FrozenWeightedSamplerOptions,
): FrozenWeightedSampler {
  const { seed } = checkOptions(
    options,
    ['seed'] satisfies (keyof FrozenWeightedSamplerOptions)[],
    'frozenWeightedSampler',
  );
  const frozen = copyWeights(weights);
  const random = counterRandom(seed);
  const table = aliasTable(frozen);
  const weightsDigest = lazily(() => digest(frozen));
  const fingerprint = () => `weighted-sampler:size=${frozen.length},weights=${weightsDigest()},seed=${seed},frozen`;
  const digestAt = (index: number) => digest([seed, index], weightsDigest());
  const total = lazily(() => {
    let sum = 0;
    for (const weight of frozen) sum += weight;
    return sum;
  });
  let next = 0;

  return iterableSampler<Omit<FrozenWeightedSampler, typeof Symbol.iterator>>({
    specificationVersion: 'v1',
    kind: 'sampler',
    get fingerprint() {
      return fingerprint();
    },
    capabilities: { replacement: true, finite: false, adaptive: false },
    weightsVersion: 0,
    draw(count) {
      checkInteger('count', count, 0);
      const first = next;
      const uniforms = new Float64Array(count);
      const positions = new Int32Array(count);
      random.fill(first, uniforms);
      next += count;
      table.findAll(uniforms, positions);
      // Computed only when read, because each probability is another cache miss. Copied, because the caller may change `positions`.
      const drawn = positions.slice();
      const probabilities = lazily(() => {
        const values = new Float64Array(count);
        const sum = total();
        for (let draw = 0; draw < count; draw++) values[draw] = frozen[drawn[draw]!]! / sum;
        return values;
      });
      return {
        positions,
        get probabilities() {
          return probabilities();
        },
        first,
        version: 0,
      };
    },
    probabilities: () => frozen.map((weight) => weight / total()),
    weights: () => frozen.slice(),
    state: () => streamState(fingerprint(), seed, next, digestAt(next)),
    restore(state) {
      next = readStreamState(state, fingerprint(), seed, digestAt);
    },
  });
}
