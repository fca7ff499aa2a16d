import {
  checkInteger,
  checkOptions,
  counterRandom,
  type Draws,
  digest,
  type IterableSampler,
  iterableSampler,
} from '@rarefy/core';
import { readStreamState, streamState } from './state/sampler-state.js';

export interface UniformSamplerOptions {
  /** Any safe integer. Draw n depends only on the seed and n. */
  readonly seed: number;
}

/** Draws with replacement, all positions with the same probability. */
export interface UniformSampler extends IterableSampler {
  draw(count: number): Required<Omit<Draws, 'version'>>;
  probabilities(): Float64Array;
}

/**
 * An endless stream of positions in [0, size), all with the same probability, with replacement. It is the baseline for a weighted
 * sampler: both use the same uniforms of the same seed.
 * @param size an integer in [1, 2^31]
 * @throws InvalidArgumentError if the size is out of range, the seed is not a safe integer, or an option is unknown.
 */
export function uniformSampler(size: number, options: UniformSamplerOptions): UniformSampler {
  const { seed } = checkOptions(options, ['seed'] satisfies (keyof UniformSamplerOptions)[], 'uniformSampler');
  checkInteger('size', size, 1, 2 ** 31);
  const random = counterRandom(seed);
  const fingerprint = `uniform-sampler:size=${size},seed=${seed}`;
  const digestAt = (index: number) => digest([size, seed, index]);
  let next = 0;
  return iterableSampler<Omit<UniformSampler, typeof Symbol.iterator>>({
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: true, finite: false, adaptive: false },
    draw(count) {
      checkInteger('count', count, 0);
      const first = next;
      const probabilities = new Float64Array(count); // holds the uniforms first
      const positions = new Int32Array(count);
      random.fill(first, probabilities);
      next += count;
      for (let draw = 0; draw < count; draw++) positions[draw] = Math.floor(probabilities[draw]! * size);
      return { positions, probabilities: probabilities.fill(1 / size), first };
    },
    probabilities: () => new Float64Array(size).fill(1 / size),
    state: () => streamState(fingerprint, seed, next, digestAt(next)),
    restore(state) {
      next = readStreamState(state, fingerprint, seed, digestAt);
    },
  });
}
