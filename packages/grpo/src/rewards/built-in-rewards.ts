import {
  checkInteger,
  checkOptions,
  InputError,
  InvalidArgumentError,
  shown,
  TrainingError,
  timeSlices,
  warn,
} from '@rarefy/core';
import { words } from '@rarefy/diversity';
import { checkRewardModel, checkTokenizer, padRight, type RewardModel } from '@rarefy/lm';
import { type ChatFormat, chatFormat, checkChatFormat, type Tokenizer } from '@rarefy/tokenizers';
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
 * Rewards recorded answers with the score of their record: of preference pairs, 1 for chosen and 0 for rejected. It does not apply
 * to generated completions. For the rollouts of `recordedGroups`.
 * @throws TrainingError, the reward, if no completion has a score.
 */
export function recordedReward(): RewardFunction {
  const recorded: RewardFunction = (completions) => {
    if (completions.length > 0 && completions.every(({ score }) => score === undefined)) {
      throw new TrainingError(
        'recordedReward scores recorded answers, and these completions have no record; give trainGrpo the rollouts of recordedGroups, or another reward',
      );
    }
    return completions.map(({ score }) => score ?? null);
  };
  return recorded;
}

export interface RewardModelRewardOptions {
  /** Rows per forward pass; default 32. */
  readonly batchSize?: number;
  /**
   * What happens to a completion with more tokens than the model has positions: `cut` scores it without its end, `null` gives no
   * reward, as if it did not apply, and `error` fails. A prompt that does not fit beside its completion loses its beginning in any
   * case. Default `cut`.
   */
  readonly tooLong?: 'cut' | 'null' | 'error';
  /** How prompts and answers are written, the same as in training; default `chatFormat(tokenizer)`. */
  readonly format?: ChatFormat;
}

/**
 * Rewards completions with a trained reward model, which reads each as the complete answer to its prompt, in its own tokens.
 * Logs the share of the completions that do not fit as `cut_ratio`, and that of the prompts that lost their beginning as
 * `cut_prompt_ratio`; the first completion that is cut gives the warning `answer-cut`. Deterministic.
 * @throws InvalidArgumentError if an option is unknown or out of range, or the model or its tokenizer is missing. The reward throws
 *   InputError if `tooLong` is `error` and a completion does not fit.
 */
export function rewardModelReward(
  { reward, tokenizer }: { readonly reward: RewardModel; readonly tokenizer: Tokenizer },
  options: RewardModelRewardOptions = {},
): RewardFunction {
  checkOptions(options, ['batchSize', 'tooLong', 'format'], 'rewardModelReward');
  const { batchSize = 32, tooLong = 'cut' } = options;
  checkInteger('batchSize', batchSize, 1);
  if (tooLong !== 'cut' && tooLong !== 'null' && tooLong !== 'error') {
    throw new InvalidArgumentError(`tooLong must be 'cut', 'null' or 'error', got ${shown(tooLong)}`);
  }
  checkRewardModel(reward, 'rewardModelReward');
  checkTokenizer(tokenizer, 'rewardModelReward');
  const { format = chatFormat(tokenizer) } = options;
  checkChatFormat(format, 'rewardModelReward');
  const { maxPositions } = reward.model.description;
  let isWarned = false;
  const rewardModel: RewardFunction = async (completions, { signal, onEvent, logMetric } = {}) => {
    const rows = completions.map(({ prompt, messages, text }) => {
      const { ids, truncated } = format.conversation(messages ?? prompt, text, maxPositions);
      return { ids, truncated, isCut: truncated && ids.at(-1) !== format.stopId }; // a whole answer ends with the stop token
    });
    const cut = rows.filter(({ isCut }) => isCut).length;
    if (cut > 0 && tooLong === 'error') {
      throw new InputError(
        `completion ${rows.findIndex(({ isCut }) => isCut)} does not fit in the ${maxPositions} positions of the reward model; generate shorter ones, or set tooLong to 'cut' or 'null'`,
      );
    }
    if (cut > 0 && !isWarned) {
      isWarned = true;
      const done = tooLong === 'cut' ? 'are scored without their end' : 'get no reward';
      const message = `${cut} of ${rows.length} completions do not fit in the ${maxPositions} positions of the reward model and ${done}; the metric cut_ratio counts them`;
      warn(onEvent, { task: 'reward', code: 'answer-cut', message });
    }
    if (rows.length > 0) {
      logMetric?.('cut_ratio', cut / rows.length);
      logMetric?.('cut_prompt_ratio', rows.filter(({ truncated }) => truncated).length / rows.length);
    }
    const rewards = new Array<number | null>(rows.length).fill(null);
    const scored = [...rows.keys()].filter((row) => tooLong === 'cut' || !rows[row]!.isCut);
    const slices = timeSlices(undefined);
    for (let start = 0; start < scored.length; start += batchSize) {
      if (slices.due()) await slices.pause(); // lets an abort arrive: tfjs-node waits for nothing
      signal?.throwIfAborted();
      const part = scored.slice(start, start + batchSize);
      const scores = tf.tidy(() => {
        const { ids, mask } = padRight(part.map((row) => rows[row]!.ids));
        return reward.score(ids, mask);
      });
      const values = await scores.data();
      scores.dispose();
      for (const [index, row] of part.entries()) rewards[row] = values[index]!;
    }
    return rewards;
  };
  return rewardModel;
}
