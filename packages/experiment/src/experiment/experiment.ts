import type { DensityEstimator, Embedder, Weighting } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import type { GrpoTrainingOptions, LoaderOptions, RewardInput } from '@rarefy/grpo';
import type { LoadedModel } from '@rarefy/lm';
import type { Arm } from '../arms/arm.js';

/** A prompt that no run trains on. */
export interface HeldOutPrompt {
  readonly id: string;
  readonly prompt: string;
  /** One of the experiment's `strata`. */
  readonly stratum: string;
}

/** What is known about one answer to a held-out prompt. */
export interface Judgment {
  /**
   * Whether the answer counts as good. Default: its reward is above the median reward of the start model's answers, it is not
   * garbled, and it is on topic if that is known.
   */
  readonly good?: boolean;
  /** Answers to one prompt that say the same have the same class. Default: the words of the answer, lower case. */
  readonly class?: string;
  readonly onTopic?: boolean;
  readonly garbled?: boolean;
}

/**
 * How common each training prompt is, from a source that the sampler did not use: a label such as its topic, whose number of
 * prompts counts; or the density under another embedder.
 */
export type RarityCheck = { readonly labels: readonly string[] } | { readonly embedder: () => Promise<Embedder> };

/** What training has in common in all arms. */
export interface ExperimentTraining
  extends Pick<LoaderOptions, 'batchSize' | 'groupSize'>,
    Pick<
      GrpoTrainingOptions,
      | 'steps'
      | 'learningRate'
      | 'schedule'
      | 'weightDecay'
      | 'maxGradNorm'
      | 'loss'
      | 'numIterations'
      | 'scaleRewards'
      | 'temperature'
      | 'topK'
      | 'topP'
      | 'maxPromptLength'
      | 'microBatchSize'
    > {
  readonly maxCompletionLength: number;
}

/** How held-out prompts are answered. */
export interface ExperimentEvaluation {
  /** Answers per prompt before and after training, ≥ 2. */
  readonly answers: number;
  /** Steps between two evaluations during training. Default: only before and after. */
  readonly every?: number;
  /** Answers per prompt during training; default 2. */
  readonly answersDuring?: number;
  /** Answers among which distinct good ones are counted, at most `answers`; default: half of `answers`. */
  readonly k?: number;
  /** Prompts per batch; default 32. */
  readonly batchSize?: number;
}

/** Conditions that the start model must meet; the report says which it does not. */
export interface StartGates {
  /** Largest share of garbled answers. */
  readonly garbled?: number;
  /** Smallest share of answers on topic, by stratum. */
  readonly onTopic?: Readonly<Record<string, number>>;
}

/** What to compare, and how. Everything that a run needs; a run depends on nothing else but its arm and seed. */
export interface Experiment {
  readonly name: string;
  /** What is expected, in one or two sentences. */
  readonly hypothesis: string;
  /** Folder of the model that every run starts from. */
  readonly model: string;
  /** The first arm is the baseline that the others are compared with. */
  readonly arms: readonly Arm[];
  /** One run per arm and seed. Runs of one seed share their generation streams. */
  readonly seeds: readonly number[];
  readonly prompts: readonly PromptRecord[];
  readonly heldOut: readonly HeldOutPrompt[];
  /** Names of the strata, the most crowded first. */
  readonly strata: readonly string[];
  /**
   * The rewards, given the frozen start model, and which reward model the arm names, if it names one. Called once per run, and once
   * for the answers of the start model.
   */
  readonly rewards: (
    start: LoadedModel,
    choice: Pick<Arm, 'rewardModel'>,
  ) => readonly RewardInput[] | Promise<readonly RewardInput[]>;
  readonly judge?: (prompt: HeldOutPrompt, text: string) => Judgment;
  /** Embedders by name; the first one is the default of arms. */
  readonly embedders: Readonly<Record<string, () => Promise<Embedder>>>;
  /** Density estimators by name, the first being the default of arms; default `{ knn: … }` with 10 neighbors. */
  readonly estimators?: Readonly<Record<string, DensityEstimator>>;
  /** From density to weight, before the target ESS/N of an arm; default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /** By name: how the draws are verified. At least one. */
  readonly rarities: Readonly<Record<string, RarityCheck>>;
  readonly training: ExperimentTraining;
  readonly evaluation: ExperimentEvaluation;
  /** Name of the one measure that decides; default `distinct-good`. */
  readonly primary?: string;
  /** Measures of the secondary family, tested with Holm's correction. */
  readonly secondary?: readonly string[];
  /** Level of all tests; default 0.05. */
  readonly alpha?: number;
  readonly gates?: StartGates;
  /** Maps the outcome of an answer to a text, for arms treated by inverse probability. */
  readonly outcome?: (prompt: string, text: string) => string;
  /** Embedder of answers, for arms treated by completion density. */
  readonly answerEmbedder?: () => Promise<Embedder>;
}
