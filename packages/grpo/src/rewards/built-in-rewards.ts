import { checkInteger, checkOptions, described, InvalidArgumentError, shown } from '@rarefy/core';
import { words } from '@rarefy/diversity';
import {
  type ChatFormat,
  chatFormat,
  checkChatFormat,
  checkTokenizer,
  padRight,
  type RewardModel,
  type Tokenizer,
} from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import type { RewardFunction } from './reward-function.js';

/**
 * Rewards completions of about `target` words: 1 - |words - target| / target. It is 1 at the target, 0 for an empty text and at
 * twice the target, and negative beyond, without bound.
 * @param options.target number of words, as `words` of `@rarefy/diversity` counts them; > 0
 * @throws InvalidArgumentError if `target` is not finite and > 0, or an option is unknown.
 */
export function lengthReward(options: { readonly target: number }): RewardFunction {
  const { target } = checkOptions(options, ['target'], 'lengthReward');
  if (!(Number.isFinite(target) && target > 0)) {
    throw new InvalidArgumentError(`target must be a number of words > 0, got ${shown(target)}`);
  }
  const length: RewardFunction = (completions) =>
    Float64Array.from(completions, ({ text }) => 1 - Math.abs(words(text).length - target) / target);
  return length;
}

/**
 * Rewards completions with a trained reward model, which reads each as the complete answer to its prompt, in its own tokens.
 * If a row is longer than the model's positions, the prompt loses its beginning. Deterministic.
 * @param options.batchSize rows per forward pass; default 32
 * @param options.format how prompts and answers are written, the same as in training; default `chatFormat(tokenizer)`
 * @throws InvalidArgumentError if an option is unknown or out of range, or the model or its tokenizer is missing.
 */
export function rewardModelReward(
  { reward, tokenizer }: { readonly reward: RewardModel; readonly tokenizer: Tokenizer },
  options: { readonly batchSize?: number; readonly format?: ChatFormat } = {},
): RewardFunction {
  checkOptions(options, ['batchSize', 'format'], 'rewardModelReward');
  const { batchSize = 32 } = options;
  checkInteger('batchSize', batchSize, 1);
  checkRewardModel(reward, 'rewardModelReward');
  checkTokenizer(tokenizer, 'rewardModelReward');
  const { format = chatFormat(tokenizer) } = options;
  checkChatFormat(format, 'rewardModelReward');
  const { maxPositions } = reward.model.description;
  const rewardModel: RewardFunction = async (completions, { signal } = {}) => {
    const rewards = new Float64Array(completions.length);
    for (let start = 0; start < completions.length; start += batchSize) {
      signal?.throwIfAborted();
      const rows = completions
        .slice(start, start + batchSize)
        .map(({ prompt, messages, text }) => format.conversation(messages ?? prompt, text, maxPositions).ids);
      const scores = tf.tidy(() => {
        const { ids, mask } = padRight(rows);
        return reward.score(ids, mask);
      });
      rewards.set(await scores.data(), start);
      scores.dispose();
    }
    return rewards;
  };
  return rewardModel;
}

/** @throws InvalidArgumentError if `reward` is not a reward model, but for example a language model. */
export function checkRewardModel(reward: unknown, where: string): void {
  const { score, parameters, model } = Object(reward) as Record<string, unknown>;
  if (typeof score === 'function' && Object(parameters) === parameters && Object(model) === model) return;
  throw new InvalidArgumentError(
    `${where} needs a reward model, got ${described(reward)}; make it with rewardModel(model)`,
  );
}
