import type { CallOptions } from '@rarefy/core';
import type { SavedModel } from '@rarefy/lm';
import type { StepMetrics } from '@rarefy/training';
import { type Rollout, type RolloutOptions, type RolloutPrompt, rollout } from './rollout.js';

/** The policy in training: what a source needs to generate, or to hand over weights. */
export type RolloutPolicy = Omit<SavedModel, 'extra'>;

/** What a source learns before a training step: how completions are sampled, and the number of steps of the whole run. */
export interface RolloutStep extends Omit<RolloutOptions, 'groupSize' | 'first'>, CallOptions {
  readonly steps: number;
}

/** Where completions come from: the policy itself, a server that has its weights, or records. */
export interface RolloutSource {
  readonly name: string;
  /** What changes completions, as JSON. A run resumes only with equal settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Default of `maskTruncatedCompletions` for these completions; default false. */
  readonly masksTruncated?: boolean;
  /**
   * Generates `groupSize` completions per prompt. Those of another program have `logProbabilities`. A completion depends on
   * weights, prompt, seed and draw, as far as the program is deterministic.
   */
  rollout(policy: RolloutPolicy, prompts: readonly RolloutPrompt[], options: RolloutOptions): Promise<Rollout>;
  /** Called before the rollouts of each training step, such as to hand over weights. Returns metrics of the step. */
  readonly beforeStep?: (policy: RolloutPolicy, stepsDone: number, step: RolloutStep) => Promise<StepMetrics>;
  /** What a resumed run needs, as JSON. Called once per checkpoint. */
  readonly state?: () => unknown;
  readonly restore?: (state: unknown) => void;
}

/** Completions of the policy in training itself, by {@link rollout}. The default of `trainGrpo`. */
export function policyRollouts(): RolloutSource {
  return { name: 'policy', settings: {}, rollout };
}
