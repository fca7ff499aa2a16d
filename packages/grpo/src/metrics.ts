import { type Sampler, ShapeError } from '@rarefy/core';
import type { StepMetrics } from '@rarefy/training';
import type { DrawCounts } from './loader/draw-counts.js';
import type { PromptBatch } from './loader/grpo-loader.js';
import { type GroupAdvantages, meanAndDeviation } from './losses/advantages.js';
import type { RewardScores } from './rewards/reward-function.js';
import type { Completion } from './rollout/rollout.js';

/**
 * TRL's `reward` and `reward_std` (of all completions), `frac_reward_zero_std`, `rewards/<name>/mean` and `…/std`. Completions
 * that a reward does not apply to do not count. Also what the reward functions logged.
 * @param advantages of the completions; without them there is no `frac_reward_zero_std`
 */
export function rewardMetrics(
  { total, rewards, metrics: logged }: RewardScores,
  advantages?: GroupAdvantages,
): StepMetrics {
  const { mean, deviation } = meanAndDeviation(total);
  const metrics: StepMetrics = { ...logged, reward: mean, reward_std: deviation };
  if (advantages) metrics.frac_reward_zero_std = advantages.zeroSpread;
  for (const [name, values] of Object.entries(rewards)) {
    const { mean, deviation } = meanAndDeviation(values);
    metrics[`rewards/${name}/mean`] = mean;
    metrics[`rewards/${name}/std`] = deviation;
  }
  return metrics;
}

/**
 * TRL's `completions/*`: lengths in tokens, and the share of completions that reached the limit without a stop token. The
 * `terminated` lengths are those of the others; 0 if there are none.
 */
export function completionMetrics(completions: readonly Completion[]): StepMetrics {
  const lengths = completions.map(({ ids }) => ids.length);
  const terminated = completions.filter((completion) => completion.terminated).map(({ ids }) => ids.length);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const orZero = terminated.length > 0 ? terminated : [0];
  return {
    'completions/mean_length': mean(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/clipped_ratio': 1 - terminated.length / completions.length,
    'completions/mean_terminated_length': mean(orZero),
    'completions/min_terminated_length': Math.min(...orZero),
    'completions/max_terminated_length': Math.max(...orZero),
  };
}

/**
 * Metrics of what was drawn.
 * - Current probabilities of the sampler: `sampling/ess`, the effective sample size as a share of all prompts (1 for uniform),
 *   and `sampling/max_over_min`. NaN if the sampler does not report probabilities.
 * - All draws of the run: `sampling/coverage`, the share of prompts drawn so far, and `sampling/repeat_rate`, the share of draws
 *   of a prompt that was drawn before.
 * - The step: `sampling/density_mean`, `sampling/staleness`, and `sampling/refills`, the number of batches beyond the first.
 * @throws ShapeError if there is not one density per prompt. Prompts that are added during the run have none.
 */
export function samplingMetrics(
  loader: { readonly sampler: Sampler; readonly size: number },
  draws: DrawCounts,
  densities: Float64Array | undefined,
): <Prompt>(batches: readonly PromptBatch<Prompt>[]) => StepMetrics {
  if (densities && densities.length !== loader.size) {
    throw new ShapeError(`got ${densities.length} densities for ${loader.size} prompts; give one per prompt, in order`);
  }
  const { sampler } = loader;
  const { adaptive, replacement } = sampler.capabilities;
  let spread: StepMetrics = {};
  let spreadVersion = Number.NaN;
  return (batches) => {
    const version = Math.max(...batches.map((batch) => batch.version + batch.staleness));
    // Reading all probabilities is slow for many prompts: once per weight version, if only new weights change them.
    if (version !== spreadVersion || adaptive || !replacement) spread = probabilitySpread(sampler, loader.size);
    spreadVersion = version;
    const positions = batches.flatMap((batch) => [...batch.positions]);
    const densitySum = positions.reduce((sum, position) => sum + (densities?.[position] ?? Number.NaN), 0);
    return {
      ...spread,
      'sampling/density_mean': densitySum / positions.length,
      'sampling/coverage': draws.distinct / loader.size,
      'sampling/repeat_rate': 1 - draws.distinct / draws.total,
      'sampling/staleness': Math.max(...batches.map(({ staleness }) => staleness)),
      'sampling/refills': batches.length - 1,
    };
  };
}

function probabilitySpread(sampler: Sampler, size: number): StepMetrics {
  let [squares, largest, smallest] = sampler.probabilities ? [0, 0, 1] : [Number.NaN, Number.NaN, Number.NaN];
  for (const probability of sampler.probabilities?.() ?? []) {
    squares += probability ** 2;
    largest = Math.max(largest, probability);
    smallest = Math.min(smallest, probability);
  }
  return { 'sampling/ess': 1 / squares / size, 'sampling/max_over_min': largest / smallest };
}
