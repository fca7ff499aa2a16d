/** The prompts of one training step, each drawn prompt once. */
export interface LoadedBatch<Prompt = unknown> {
  /** Position of each prompt in the data set, in draw order: [batchSize]. */
  readonly positions: Int32Array;
  /** [batchSize]. */
  readonly prompts: readonly Prompt[];
  /** Number of completions to generate per prompt. */
  readonly groupSize: number;
  /** Probability of each draw at the time it was made, if the sampler reports it: [batchSize]. */
  readonly probabilities?: Float64Array | undefined;
  /** Small JSON. A loader that restores it continues with the batch after this one. */
  readonly state: unknown;
}

/** Yields batches in order. A loop that was left can be resumed: the next loop continues after the last yielded batch. */
export interface Loader<Batch extends LoadedBatch = LoadedBatch> extends AsyncIterable<Batch> {
  /** State after the last yielded batch. */
  state(): unknown;
  /** @throws StateMismatchError if the state belongs to another loader or other data. */
  restore(state: unknown): void;
}

/** Records the metrics of a training run, step by step, under TRL's names. */
export interface MetricLogger {
  /** Names the logger in errors. */
  readonly name?: string;
  /** Metrics of one step by name, times (`step_time`, `time/*`) included. NaN means not measured. */
  log(step: number, metrics: Readonly<Record<string, number>>): void | Promise<void>;
  /** Called after the last step. A second call does nothing. */
  close(): void | Promise<void>;
}
