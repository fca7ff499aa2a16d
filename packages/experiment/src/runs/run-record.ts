import type { Arm } from '../arms/arm.js';

/** One answer of a model to a held-out prompt: a line of an answers file. */
export interface EvaluatedAnswer {
  /** Id of the held-out prompt. */
  readonly id: string;
  /** Index among the answers to this prompt, from 0. */
  readonly index: number;
  readonly text: string;
  /** Tokens, the stop token included. */
  readonly tokens: number;
  /** Whether a stop token came before the length limit. */
  readonly terminated: boolean;
  readonly reward: number;
  /** Sum of the log-probabilities of the tokens under the model that wrote them, in nats. */
  readonly logProbability: number;
  /** The same under the start model. */
  readonly startLogProbability: number;
  readonly good?: boolean;
  readonly class?: string;
  readonly onTopic?: boolean;
  readonly garbled?: boolean;
}

/** Answers of one model to all held-out prompts, in order of the prompts; answers to one prompt are adjacent. */
export interface Evaluation {
  /** Optimizer steps done; 0 for the start model. */
  readonly step: number;
  readonly answers: readonly EvaluatedAnswer[];
}

/** What made a run: `run.json` in its folder. */
export interface RunConfig {
  readonly version: 1;
  readonly arm: Arm;
  /** Seed of the experiment. */
  readonly seed: number;
  /** Seed of the sampler and of generation. It differs from `seed` for an arm that equals an earlier one but for its name. */
  readonly streamSeed: number;
  /** Settings that all runs share, as the plan has them. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** SHA-256 of: the start model's weights, training prompts, held-out prompts, the code of the experiment. */
  readonly digests: Readonly<Record<'model' | 'prompts' | 'heldOut' | 'code', string>>;
  readonly backend: { readonly name: string; readonly device: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly started: string;
}

/** What a finished run cost: `done.json` in its folder. Its presence says that the run is complete. */
export interface RunCosts {
  readonly finished: string;
  readonly steps: number;
  /** Of all attempts together, in seconds. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Of the last attempt. */
  readonly peakBytes: number;
  /** Completion tokens trained on. */
  readonly trainedTokens: number;
}

/** A finished run, as its folder holds it. */
export interface RunRecord {
  readonly config: RunConfig;
  readonly costs: RunCosts;
  /** How often each training prompt was drawn. */
  readonly drawCounts: Uint32Array;
  /** By step, ascending; the last is after training. The start model's is that of the experiment. */
  readonly evaluations: readonly Evaluation[];
  /** Training metrics by step, as `metrics.jsonl` has them. */
  readonly metrics: readonly Readonly<Record<string, number>>[];
}

/** What the folder of an experiment holds beside the plan. */
export interface ExperimentRecord {
  /** Evaluation of the start model, step 0. */
  readonly start: Evaluation;
  readonly runs: readonly RunRecord[];
  /** Density of each training prompt by `EMBEDDER-ESTIMATOR`, the names that arms use; the first is the default. */
  readonly densities: Readonly<Record<string, Float64Array>>;
  /** Density of each held-out prompt under the default embedder and estimator, among training prompts and itself. */
  readonly heldOutDensity: Float64Array;
  /** How common each training prompt is, by name of the rarity check; larger is more common. */
  readonly commonness: Readonly<Record<string, Float64Array>>;
}
