import { counterRandom, type Draws, digest, InvalidArgumentError, type Sampler } from '@rarefy/core';
import { placeState, readPlace } from './sampler-state.js';
import { checkCount } from './structures/check-count.js';

export interface UniformSamplerOptions {
  /** Any safe integer. Draw n depends on the seed and n alone. */
  readonly seed: number;
}

/** Draws with replacement, every position as likely as any other. */
export interface UniformSampler extends Sampler {
  draw(count: number): Required<Omit<Draws, 'version'>>;
  probabilities(): Float64Array;
}

/**
 * An endless stream of positions, each in [0, size) with the same chance, with replacement: what a weighted sampler is fairly
 * compared with, from the same uniforms of the same seed.
 * @throws InvalidArgumentError for a size that is no integer ≥ 1 or a bad seed.
 */
export function uniformSampler(size: number, { seed }: UniformSamplerOptions): UniformSampler {
  if (!(Number.isInteger(size) && size >= 1 && size <= 2 ** 31)) {
    throw new InvalidArgumentError(`size must be an integer in [1, 2^31], got ${size}`);
  }
  const random = counterRandom(seed);
  const fingerprint = `uniform-sampler:size=${size},seed=${seed}`;
  const digestAt = (index: number) => digest([size, seed, index]);
  let next = 0;
  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: true, finite: false, adaptive: false },
    draw(count) {
      checkCount(count);
      const first = next;
      const probabilities = new Float64Array(count); // first the uniforms
      const positions = new Int32Array(count);
      random.fill(first, probabilities);
      next += count;
      for (let draw = 0; draw < count; draw++) positions[draw] = Math.floor(probabilities[draw]! * size);
      return { positions, probabilities: probabilities.fill(1 / size), first };
    },
    probabilities: () => new Float64Array(size).fill(1 / size),
    state: () => placeState(fingerprint, seed, next, digestAt(next)),
    restore(state) {
      next = readPlace(state, fingerprint, seed, digestAt);
    },
  };
}
