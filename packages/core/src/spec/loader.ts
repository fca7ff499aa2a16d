/** The prompts of one training step, each drawn prompt once. */
export interface LoadedBatch<Prompt = unknown> {
  /** Position of each prompt in the data set, in draw order: [batchSize]. */
  readonly positions: Int32Array;
  /** [batchSize]. */
  readonly prompts: readonly Prompt[];
  /** Completions to generate per prompt. */
  readonly groupSize: number;
  /** Probability of each draw at the time it was made, if the sampler reports it: [batchSize]. */
  readonly probabilities?: Float64Array | undefined;
  /** Small JSON: a loader that restores it continues with the batch after this one. */
  readonly state: unknown;
}

/** Yields batches in order; its state is where to resume. */
export interface Loader<Batch extends LoadedBatch = LoadedBatch> extends AsyncIterable<Batch> {
  /** The state after the last batch that was handed over. */
  state(): unknown;
  /** @throws StateMismatchError if the state belongs to another loader or other data. */
  restore(state: unknown): void;
}
