import { checkInteger, checkOptions, InvalidArgumentError } from '@rarefy/core';
import { words } from '@rarefy/diversity';
import { type ChatFormat, chatFormat, padRight, type RewardModel, type Tokenizer } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import type { RewardFunction } from './reward-function.js';

/**
 * Rewards completions of about `target` words: 1 - |words - target| / target. It is 1 at the target, 0 for an empty text and at
 * twice the target, and negative beyond, without bound.
 * @param options.target number of words, as `words` of `@rarefy/diversity` counts them; > 0
 * @throws InvalidArgumentError if `target` is not finite and > 0, or an option is unknown.
 */
export function lengthReward(options: { readonly target: number }): RewardFunction {
  checkOptions(options, ['target'], 'lengthReward');
  const { target } = options;
  if (!(target > 0 && target < Infinity)) {
    throw new InvalidArgumentError(`target must be a number of words > 0, got ${target}`);
  }
  return (completions) =>
    Float64Array.from(completions, ({ text }) => 1 - Math.abs(words(text).length - target) / target);
}

/**
 * Rewards completions with a trained reward model, which reads each as the complete answer to its prompt, in its own tokens.
 * If a row is longer than the model's positions, the prompt loses its beginning. Deterministic.
 * @param options.batchSize rows per forward pass; default 32
 * @param options.format how prompts and answers are written, the same as in training; default `chatFormat(tokenizer)`
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function rewardModelReward(
  { reward, tokenizer }: { readonly reward: RewardModel; readonly tokenizer: Tokenizer },
  options: { readonly batchSize?: number; readonly format?: ChatFormat } = {},
): RewardFunction {
  checkOptions(options, ['batchSize', 'format'], 'rewardModelReward');
  const { batchSize = 32, format = chatFormat(tokenizer) } = options;
  checkInteger('batchSize', batchSize, 1);
  const { maxPositions } = reward.model.description;
  return async (completions, { signal } = {}) => {
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
}
