import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkNumber,
  checkOptions,
  InputError,
  startProgress,
} from '@rarefy/core';
import { checkRewardModel, checkTokenizer, type RewardModel } from '@rarefy/lm';
import { type ChatFormat, chatFormat, checkChatFormat, type Tokenizer } from '@rarefy/tokenizers';
import { checkPairs, fittingPairs, type PairRows, type PreferencePair } from './pair-rows.js';
import { pairLoss, partsOf, preferenceMetrics } from './preference-loss.js';

export interface EvaluateRewardModelOptions extends CallOptions {
  /** Most tokens per row; default: the model's positions. Pairs with a longer row are left out. */
  readonly maxLength?: number;
  /** Weight of the centering term in `loss`; default 0. */
  readonly centerRewardsCoefficient?: number;
  /** Pairs per forward pass; default 4. It changes the numbers only by rounding. */
  readonly batchSize?: number;
  /** How prompts and answers are written, the same as in training; default `chatFormat(tokenizer)`. */
  readonly format?: ChatFormat;
}

const optionNames = [
  ...callOptionNames,
  'maxLength',
  'format',
  'centerRewardsCoefficient',
  'batchSize',
] as const satisfies readonly (keyof EvaluateRewardModelOptions)[];

/** How a reward model ranks pairs. */
export interface RewardModelEvaluation {
  /** Number of pairs that were scored. */
  readonly pairs: number;
  /** Number of pairs left out because a row is longer than `maxLength`. */
  readonly tooLong: number;
  /** Bradley-Terry loss with margins and the centering term, as in training. */
  readonly loss: number;
  /** Share of pairs whose chosen answer has the higher reward; a tie counts as wrong. */
  readonly accuracy: number;
  /** 95 % interval of the accuracy, if the pairs are independent (Wilson 1927). */
  readonly accuracyInterval: readonly [low: number, high: number];
  /** Mean of chosen - rejected. */
  readonly margin: number;
  readonly minReward: number;
  readonly meanReward: number;
  readonly maxReward: number;
}

/**
 * Scores pairs with a reward model. The numbers are those that `RewardTrainer` of TRL logs in an evaluation with one batch.
 * Deterministic.
 * @throws InvalidArgumentError if an argument or option is not valid; InputError if no pair fits; the signal's reason on abort.
 */
export async function evaluateRewardModel(
  { reward, tokenizer }: { readonly reward: RewardModel; readonly tokenizer: Tokenizer },
  pairs: readonly PreferencePair[],
  options: EvaluateRewardModelOptions = {},
): Promise<RewardModelEvaluation> {
  checkOptions(options, optionNames, 'evaluateRewardModel');
  checkRewardModel(reward, 'evaluateRewardModel');
  checkTokenizer(tokenizer, 'evaluateRewardModel');
  checkPairs(pairs, 'evaluateRewardModel');
  const { format = chatFormat(tokenizer) } = options;
  checkChatFormat(format, 'evaluateRewardModel');
  const { maxLength = reward.model.description.maxPositions, centerRewardsCoefficient = 0, batchSize = 4 } = options;
  checkInteger('maxLength', maxLength, 1);
  checkInteger('batchSize', batchSize, 1);
  checkNumber('centerRewardsCoefficient', centerRewardsCoefficient, 0);
  const { signal, onEvent } = options;
  const task = 'evaluate';
  const { rows, tooLong } = await fittingPairs(format, pairs, { maxLength, what: 'pairs', task, signal, onEvent });
  if (rows.length === 0)
    throw new InputError(`none of the ${pairs.length} pairs fits in ${maxLength} tokens; increase maxLength`);
  const progress = startProgress(task, rows.length, onEvent);
  const evaluation = await evaluateRows(reward, rows, {
    ...{ tooLong, centerRewardsCoefficient, batchSize, signal },
    onScored: (done) => progress.report(done),
  });
  progress.end();
  return evaluation;
}

interface EvaluateRowsOptions {
  readonly tooLong: number;
  readonly centerRewardsCoefficient: number;
  readonly batchSize: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of pairs that are scored so far. */
  readonly onScored?: (done: number) => void;
}

export async function evaluateRows(
  reward: RewardModel,
  rows: readonly PairRows[],
  { tooLong, centerRewardsCoefficient, batchSize, signal, onScored }: EvaluateRowsOptions,
): Promise<RewardModelEvaluation> {
  const seen = { chosen: [] as number[], rejected: [] as number[] };
  let loss = 0;
  const length = ({ chosen, rejected }: PairRows) => Math.max(chosen.length, rejected.length);
  // Rows of similar length need less padding.
  const sorted = [...rows].sort((a, b) => length(a) - length(b) || a.position - b.position);
  for (const part of partsOf(sorted, batchSize)) {
    await new Promise((resolve) => setTimeout(resolve)); // lets an abort arrive
    signal?.throwIfAborted();
    const value = pairLoss(reward, part, { centerRewardsCoefficient, pairs: rows.length }, seen);
    loss += (await value.data())[0]!;
    value.dispose();
    onScored?.(seen.chosen.length);
  }
  const { accuracy, margin, min_reward, mean_reward, max_reward } = preferenceMetrics(seen);
  return {
    ...{ pairs: rows.length, tooLong, loss, accuracy, accuracyInterval: wilsonInterval(accuracy, rows.length) },
    ...{ margin, minReward: min_reward, meanReward: mean_reward, maxReward: max_reward },
  };
}

/** 95 % interval of a share of `count` independent trials (Wilson 1927). */
export function wilsonInterval(share: number, count: number): readonly [low: number, high: number] {
  const z = 1.959963984540054;
  const scale = 1 + z ** 2 / count;
  const center = (share + z ** 2 / (2 * count)) / scale;
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [Math.max(0, center - half), Math.min(1, center + half)];
}
