import { type LoadedBatch, type Loader, type SamplerState, StateMismatchError } from '@rarefy/core';
import type { LoaderSetting } from '../subjects.js';

/** Draws each batch when it is requested and never earlier. Every other loader must yield the same order. */
export function naiveLoader(prompts: readonly string[], setting: LoaderSetting): Loader<LoadedBatch<string>> {
  const { sampler, batchSize, groupSize, signal } = setting;
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        signal?.throwIfAborted();
        const { positions, probabilities } = sampler.draw(batchSize);
        if (positions.length < batchSize) return;
        const texts = Array.from(positions, (position) => {
          const prompt = prompts[position];
          if (prompt === undefined) throw new RangeError(`position ${position} is not in [0, ${prompts.length})`);
          return prompt;
        });
        yield { positions, prompts: texts, groupSize, probabilities, state: sampler.state() };
      }
    },
    state: () => sampler.state(),
    restore(state) {
      const saved = state as SamplerState;
      if (saved.fingerprint === undefined) throw new StateMismatchError('the state has no fingerprint');
      sampler.restore(saved);
    },
  };
}
