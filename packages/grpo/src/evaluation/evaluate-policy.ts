import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkItemArray,
  checkOptions,
  checkSeed,
  counterRandom,
  InvalidArgumentError,
  startProgress,
} from '@rarefy/core';
import { emDashPer1000Words, vocabularyRatio } from '@rarefy/diversity';
import { checkLoaded, checkSampling, type LoadedModel, type SamplingOptions, samplingOptionNames } from '@rarefy/lm';
import { type ChatFormat, type ChatPrompt, chatFormat, checkChatFormat } from '@rarefy/tokenizers';
import type { Evaluate } from '@rarefy/training';
import { completionLengths } from '../check-training.js';
import { diversityMetrics } from '../diversity-metrics.js';
import { meanAndDeviation } from '../losses/advantages.js';
import { completionMetrics, rewardMetrics } from '../metrics.js';
import { namedRewards, type RewardInput, type RewardScores, scoreCompletions } from '../rewards/reward-function.js';
import { type Completion, rollout } from '../rollout/rollout.js';

export interface EvaluatePolicyOptions extends SamplingOptions, CallOptions {
  readonly rewards: readonly RewardInput[];
  /** Completions per prompt; default 1. */
  readonly groupSize?: number;
  /** Most tokens per prompt and completion; defaults as in `trainGrpo`. */
  readonly maxPromptLength?: number;
  readonly maxCompletionLength?: number;
  /** Prompts per batch of generation; default 16. */
  readonly batchSize?: number;
  /** How prompts are written, and which tokens end a completion; default `chatFormat(tokenizer)`. */
  readonly format?: ChatFormat;
  readonly seed: number;
}

const optionNames = [
  ...samplingOptionNames,
  ...callOptionNames,
  'rewards',
  'groupSize',
  'maxPromptLength',
  'maxCompletionLength',
  'batchSize',
  'format',
  'seed',
] as const satisfies readonly (keyof EvaluatePolicyOptions)[];

/** How a policy answers a set of prompts. */
export interface PolicyEvaluation {
  /** [prompts · groupSize]; completions of the same prompt are adjacent. */
  readonly completions: readonly Completion[];
  readonly scores: RewardScores;
  /** Mean of the weighted sum of rewards, over the completions that a reward applies to. */
  readonly rewardMean: number;
  /** Distinct words / all words of all completions together. */
  readonly vocabularyRatio: number;
  readonly emDashPer1000Words: number;
}

/**
 * Generates answers to prompts and measures them. Deterministic: the same prompts, seed and weights give the same numbers.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export async function evaluatePolicy(
  policy: Pick<LoadedModel, 'model' | 'tokenizer'>,
  prompts: readonly ChatPrompt[],
  options: EvaluatePolicyOptions,
): Promise<PolicyEvaluation> {
  const { groupSize, batchSize, rewards, ...generation } = checkEvaluation(policy, prompts, options, 'evaluatePolicy');
  const { seed, signal, onEvent } = options;
  const completions: Completion[] = [];
  const progress = startProgress('evaluate', prompts.length, onEvent);
  for (let first = 0; first < prompts.length; first += batchSize) {
    const batch = prompts.slice(first, first + batchSize).map((prompt, index) => ({ prompt, position: first + index }));
    const written = await rollout(policy, batch, { ...generation, groupSize, seed, first, signal });
    completions.push(...written.completions);
    progress.report(first + batch.length);
  }
  progress.end();
  const scores = await scoreCompletions(rewards, completions, { signal });
  const texts = completions.map(({ text }) => text);
  return {
    completions,
    scores,
    rewardMean: meanAndDeviation(scores.total).mean,
    vocabularyRatio: vocabularyRatio(texts),
    emDashPer1000Words: emDashPer1000Words(texts),
  };
}

/** The options with defaults. @throws InvalidArgumentError */
function checkEvaluation(
  policy: Pick<LoadedModel, 'model' | 'tokenizer'>,
  prompts: readonly ChatPrompt[],
  options: EvaluatePolicyOptions,
  where: string,
) {
  checkOptions(options, optionNames, where);
  checkLoaded(policy, where);
  checkItemArray(prompts, where);
  const { groupSize = 1, batchSize = 16, seed: _seed, signal: _signal, onEvent: _onEvent, ...sampling } = options;
  checkInteger('groupSize', groupSize, 1);
  checkInteger('batchSize', batchSize, 1);
  checkSeed(options.seed);
  checkSampling(options);
  const { format = chatFormat(policy.tokenizer) } = options;
  checkChatFormat(format, where);
  const rewards = namedRewards(options.rewards);
  return { ...sampling, ...completionLengths(policy.model, format, options), format, groupSize, batchSize, rewards };
}

/**
 * An `evaluate` for trainers: answers held-out prompts and measures the answers under the names of the training metrics, which the
 * log then prefixes with `eval_`: `reward`, `reward_std`, `rewards/<name>/mean` and `…/std`, `completions/*`, `diversity/*`. The
 * same seed each time, so that evaluations differ only by the weights. `onEvent` and `signal` are those of the run.
 * @throws InvalidArgumentError if an option is unknown or out of range, or there is no prompt.
 */
export function policyEvaluator(
  policy: Pick<LoadedModel, 'model' | 'tokenizer'>,
  prompts: readonly ChatPrompt[],
  options: Omit<EvaluatePolicyOptions, keyof CallOptions>,
): Evaluate {
  checkEvaluation(policy, prompts, options, 'policyEvaluator');
  if (prompts.length === 0) throw new InvalidArgumentError('policyEvaluator has no prompts; give at least one');
  return async (_step, call) => {
    const { completions, scores } = await evaluatePolicy(policy, prompts, { ...options, ...call });
    const texts = completions.map(({ text }) => text);
    return {
      ...rewardMetrics(scores),
      ...completionMetrics(completions),
      ...diversityMetrics(texts, options.groupSize ?? 1),
    };
  };
}

/** Positions to hold out for evaluation: `count` of `size`, chosen by the seed, in ascending order. */
export function heldOutPositions(size: number, count: number, seed: number): Int32Array {
  const random = counterRandom(seed);
  const keys = Float64Array.from({ length: size }, (_, position) => random.uniform(position));
  const order = Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
  return Int32Array.from(order.slice(0, count)).sort();
}

/** Share of the draws of a run that went to `positions`. @param counts how often each position was drawn */
export function drawShare(counts: Uint32Array, positions: Int32Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return positions.reduce((sum, position) => sum + counts[position]!, 0) / total;
}
