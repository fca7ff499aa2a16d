import { counterRandom, type Sampler, StateMismatchError } from '@rarefy/core';

/** Draws every position in turn. The seed determines the first one. */
export function roundRobinSampler(size: number, seed: number): Sampler {
  const fingerprint = `round-robin:size=${size},seed=${seed}`;
  let next = Math.floor(counterRandom(seed).uniform(0) * size);
  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: { replacement: false, finite: false, adaptive: false },
    draw: (count) => ({ positions: Int32Array.from({ length: count }, () => next++ % size) }),
    state: () => ({ version: 1, fingerprint, payload: next }),
    restore({ version, fingerprint: other, payload }) {
      if (version !== 1 || other !== fingerprint) throw new StateMismatchError(`the state belongs to ${other}`);
      next = Number(payload);
    },
  };
}
