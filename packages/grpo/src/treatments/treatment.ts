import type { CallOptions } from '@rarefy/core';
import type { GroupAdvantages } from '../losses/advantages.js';
import type { Completion } from '../rollout/rollout.js';

/** The completions of one batch with the rewards that their advantages come from. */
export interface TreatedBatch {
  /** Completions of the same prompt are adjacent. */
  readonly completions: readonly Completion[];
  readonly groupSize: number;
  /** Weighted sum of the rewards: one per completion; NaN if none applies. */
  readonly rewards: Float64Array;
}

/**
 * Changes what a policy learns from its rewards, so that it keeps more kinds of answers. Works beside any sampler, which changes
 * which prompts it learns from. Logged rewards stay as they were given.
 */
export interface Treatment {
  readonly name: string;
  /** All options with their defaults, as JSON. A run resumes only with equal settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The rewards that advantages are computed from, one per completion; NaN stays NaN. Default: the rewards. */
  readonly rewards?: (batch: TreatedBatch, options?: CallOptions) => Float64Array | Promise<Float64Array>;
  /** One factor per group, for its advantages; default 1. */
  readonly scale?: (advantages: GroupAdvantages) => Float64Array;
}

/** The rewards after all treatments, in order. The result does not share memory with `batch.rewards`. */
export async function treatedRewards(
  treatments: readonly Treatment[],
  batch: TreatedBatch,
  options: CallOptions = {},
): Promise<Float64Array> {
  let rewards: Float64Array = batch.rewards.slice();
  for (const treatment of treatments) {
    if (treatment.rewards) rewards = await treatment.rewards({ ...batch, rewards }, options);
  }
  return rewards;
}

/** The advantages after all treatments. */
export function treatedAdvantages(treatments: readonly Treatment[], given: GroupAdvantages): GroupAdvantages {
  const groupSize = given.advantages.length / given.means.length;
  const factors = treatments.flatMap(({ scale }) => (scale ? [scale(given)] : []));
  const factorOf = (group: number) => factors.reduce((product, factor) => product * factor[group]!, 1);
  return {
    ...given,
    advantages: given.advantages.map((advantage, row) => advantage * factorOf(Math.floor(row / groupSize))),
  };
}
