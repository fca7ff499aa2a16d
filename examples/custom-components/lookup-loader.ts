import { InputError, type LoadedBatch, type Loader, type Sampler, type SamplerState } from '@rarefy/core';

export interface LookupLoaderOptions {
  readonly sampler: Sampler;
  readonly batchSize: number;
  readonly groupSize: number;
  readonly signal?: AbortSignal | undefined;
}

/** Looks up the prompts of a batch when the batch is drawn, for example in a database: the data set need not fit in memory. */
export function lookupLoader<Prompt>(
  lookUp: (positions: Int32Array) => Promise<readonly (Prompt | undefined)[]>,
  { sampler, batchSize, groupSize, signal }: LookupLoaderOptions,
): Loader<LoadedBatch<Prompt>> {
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        signal?.throwIfAborted();
        const before = sampler.state();
        const { positions, probabilities } = sampler.draw(batchSize);
        if (positions.length < batchSize) return; // the sampler ended
        const state = sampler.state();
        const prompts = await found(positions).catch((error: unknown) => {
          sampler.restore(before); // another attempt gets the same prompts
          throw error;
        });
        yield { positions, prompts, groupSize, probabilities, state };
      }
    },
    state: () => sampler.state(),
    restore: (state) => sampler.restore(state as SamplerState),
  };

  async function found(positions: Int32Array): Promise<readonly Prompt[]> {
    const prompts = await lookUp(positions.slice());
    const missing = positions.findIndex((_, index) => prompts[index] === undefined);
    if (missing < 0) return prompts as readonly Prompt[];
    throw new InputError(`there is no prompt at position ${positions[missing]}`);
  }
}
