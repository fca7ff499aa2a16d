import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkOptions,
  counterRandom,
  startProgress,
} from '@rarefy/core';
import { emDashPer1000Words, vocabularyRatio } from '@rarefy/diversity';
import {
  type ChatFormat,
  type ChatPrompt,
  checkLoaded,
  type LoadedModel,
  type SamplingOptions,
  samplingOptionNames,
} from '@rarefy/lm';
import { namedRewards, type RewardInput, scoreCompletions } from '../rewards/reward-function.js';
import { type Completion, rollout } from '../rollout/rollout.js';

export interface EvaluatePolicyOptions extends SamplingOptions, CallOptions {
  readonly rewards: readonly RewardInput[];
  /** Completions per prompt; default 1. */
  readonly groupSize?: number;
  readonly maxPromptLength: number;
  readonly maxCompletionLength: number;
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
  readonly completions: readonly Completion[];
  /** Mean of the weighted sum of rewards. */
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
  checkOptions(options, optionNames, 'evaluatePolicy');
  const { groupSize = 1, batchSize = 16, seed, signal, onEvent, rewards: _, ...generation } = options;
  checkLoaded(policy, 'evaluatePolicy');
  const rewards = namedRewards(options.rewards);
  checkInteger('batchSize', batchSize, 1);
  const completions: Completion[] = [];
  const progress = startProgress('evaluate', prompts.length, onEvent);
  for (let first = 0; first < prompts.length; first += batchSize) {
    const batch = prompts.slice(first, first + batchSize).map((prompt, index) => ({ prompt, position: first + index }));
    const written = await rollout(policy, batch, { ...generation, groupSize, seed, first, signal });
    completions.push(...written.completions);
    progress.report(first + batch.length);
  }
  progress.end();
  const { total } = await scoreCompletions(rewards, completions, { signal });
  const texts = completions.map(({ text }) => text);
  return {
    completions,
    rewardMean: total.reduce((sum, reward) => sum + reward, 0) / total.length,
    vocabularyRatio: vocabularyRatio(texts),
    emDashPer1000Words: emDashPer1000Words(texts),
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
