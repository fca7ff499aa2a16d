import {
  type CallOptions,
  checkInteger,
  checkNumber,
  checkOptions,
  checkSeed,
  described,
  digest,
  InputError,
  InvalidArgumentError,
  type Sampler,
  type SamplerState,
} from '@rarefy/core';
import type { Pair } from '@rarefy/data';
import {
  type ChatFormat,
  type ChatPrompt,
  chatFormat,
  checkChatFormat,
  checkLoaded,
  checkParameters,
  padRight,
  type RewardModel,
  type SavedModel,
  shuffled,
  type TrainingOptions,
  trainingOptionNames,
  trainWithCheckpoints,
} from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { pairDraws } from './pair-draws.js';
import { checkRewardModel } from './rewards/built-in-rewards.js';

export interface RewardModelTrainingOptions extends TrainingOptions {
  /** Pairs per step; default 16. */
  readonly batchSize?: number;
  /** Most tokens per row; default: the model's positions. Pairs with a longer row are left out, as in TRL, not cut. */
  readonly maxLength?: number;
  /** Weight of mean((chosen + rejected)²), which centers rewards at 0 (Eisenstein et al. 2023); default 0, recommended 0.01. */
  readonly centerRewardsCoefficient?: number;
  /** How prompts and answers are written; default `chatFormat(tokenizer)`. */
  readonly format?: ChatFormat;
  readonly seed: number;
  /** Draws the pairs of each step, by position in `pairs`; skips pairs that are left out. Default: each pair once per epoch. */
  readonly sampler?: Sampler;
}

const optionNames = [
  ...trainingOptionNames,
  'batchSize',
  'maxLength',
  'centerRewardsCoefficient',
  'format',
  'seed',
  'sampler',
] as const satisfies readonly (keyof RewardModelTrainingOptions)[];

export interface RewardModelTrainingResult {
  /** Number of pairs trained on. */
  readonly pairs: number;
  /** Number of pairs left out because a row is longer than `maxLength`. */
  readonly tooLong: number;
}

/** A prompt with a better and a worse answer. The prompt is a text, or the turns before the answer. */
export type PreferencePair = Pick<Pair, 'chosen' | 'rejected'> & { readonly prompt: ChatPrompt };

interface PairRows {
  readonly position: number;
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
}

/**
 * Trains a reward model on preference pairs with the Bradley-Terry loss, -log σ(chosen - rejected), as `RewardTrainer` of TRL.
 * Metrics under TRL's names: `loss`, `grad_norm`, `learning_rate`, `accuracy`, `margin`, `min_reward`, `mean_reward`, `max_reward`,
 * `num_tokens`, `step_time`.
 * @throws InputError if every pair has a row longer than `maxLength`, or the folder of `checkpoint` already holds a run and
 *   `resume` is not set; InvalidArgumentError if an option is unknown or out of range, or an argument is of another kind;
 *   StateMismatchError if a resumed run has other settings or pairs.
 */
export async function trainRewardModel(
  loaded: Omit<SavedModel, 'extra'>,
  reward: RewardModel,
  pairs: readonly PreferencePair[],
  options: RewardModelTrainingOptions,
): Promise<RewardModelTrainingResult> {
  checkOptions(options, optionNames, 'trainRewardModel');
  checkLoaded(loaded, 'trainRewardModel');
  const { maxPositions } = loaded.model.description;
  const { batchSize = 16, maxLength = maxPositions, centerRewardsCoefficient = 0, seed } = options;
  const { format = chatFormat(loaded.tokenizer) } = options;
  checkChatFormat(format, 'trainRewardModel');
  checkRewardModel(reward, 'trainRewardModel');
  checkParameters(reward.parameters);
  if (!Array.isArray(pairs)) {
    throw new InvalidArgumentError(`trainRewardModel needs an array of pairs, got ${described(pairs)}`);
  }
  checkInteger('batchSize', batchSize, 1);
  checkInteger('maxLength', maxLength, 1);
  checkNumber('centerRewardsCoefficient', centerRewardsCoefficient, 0);
  checkSeed(seed);
  const rows = tokenPairs(format, pairs, maxLength, options);
  if (rows.length === 0)
    throw new InputError(`all ${pairs.length} pairs have a row longer than ${maxLength} tokens; increase maxLength`);
  const draws = options.sampler && pairDraws(options.sampler, rowsByPosition(rows, pairs.length), batchSize);
  const batchAt = draws ? draws.batch : shuffled(rows, { batchSize, seed });
  await trainWithCheckpoints(
    {
      name: 'rm',
      loaded,
      parameters: reward.parameters,
      extra: () => reward.head(),
      settings: {
        ...{
          task: 'rm',
          format: format.name,
          pairs: digestOf(rows),
          batchSize,
          maxLength,
          centerRewardsCoefficient,
          seed,
        },
        ...(options.sampler && { sampler: options.sampler.fingerprint }),
      },
      async step(step, update) {
        const batch = batchAt(step - 1);
        const scores: number[] = [];
        const metrics = await update([() => bradleyTerryLoss(reward, batch, centerRewardsCoefficient, scores)]);
        const tokens = batch.reduce((sum, { chosen, rejected }) => sum + chosen.length + rejected.length, 0);
        draws?.finish();
        return { metrics: { ...metrics, ...preferenceMetrics(scores) }, tokens };
      },
      ...(draws && { state: draws.state, restore: (state: unknown) => draws.restore(state as SamplerState) }),
    },
    options,
  );
  return { pairs: rows.length, tooLong: pairs.length - rows.length };
}

function digestOf(rows: readonly PairRows[]): string {
  const chained = (chain: string, { position, chosen, rejected }: PairRows) =>
    digest(rejected, digest(chosen, digest([position], chain)));
  return rows.reduce(chained, '0'.repeat(16));
}

/** Loss of a batch. Appends the rewards to `scores`: those of all chosen rows, then those of all rejected rows. */
function bradleyTerryLoss(
  reward: RewardModel,
  batch: readonly PairRows[],
  centering: number,
  scores: number[],
): tf.Scalar {
  return tf.tidy(() => {
    const { ids, mask } = padRight([...batch.map((pair) => pair.chosen), ...batch.map((pair) => pair.rejected)]);
    const rewards = reward.score(ids, mask);
    scores.push(...rewards.dataSync());
    return preferenceLoss(tf.slice(rewards, 0, batch.length), tf.slice(rewards, batch.length), centering);
  });
}

/**
 * Bradley-Terry loss of rewards [n] and [n]: mean of -log σ(chosen - rejected), plus the centering term. softplus(-x) is
 * -log σ(x) without overflow.
 */
export function preferenceLoss(chosen: tf.Tensor1D, rejected: tf.Tensor1D, centerRewardsCoefficient = 0): tf.Scalar {
  return tf.tidy(() => {
    const loss = tf.mean(tf.softplus(tf.sub(rejected, chosen)));
    const center = tf.mul(tf.mean(tf.square(tf.add(chosen, rejected))), centerRewardsCoefficient);
    return tf.add(loss, center) as tf.Scalar;
  });
}

function preferenceMetrics(scores: readonly number[]): Record<string, number> {
  const half = scores.length / 2;
  const margins = scores.slice(0, half).map((chosen, index) => chosen - scores[half + index]!);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    accuracy: mean(margins.map((margin) => (margin > 0 ? 1 : 0))),
    margin: mean(margins),
    min_reward: Math.min(...scores),
    mean_reward: mean(scores),
    max_reward: Math.max(...scores),
  };
}

function tokenPairs(
  format: ChatFormat,
  pairs: readonly PreferencePair[],
  maxLength: number,
  { signal }: CallOptions,
): PairRows[] {
  const rows: PairRows[] = [];
  for (const [position, { prompt, chosen, rejected }] of pairs.entries()) {
    signal?.throwIfAborted();
    const row = {
      position,
      chosen: format.conversation(prompt, chosen).ids,
      rejected: format.conversation(prompt, rejected).ids,
    };
    if (Math.max(row.chosen.length, row.rejected.length) <= maxLength) rows.push(row);
  }
  return rows;
}

/** The rows of each pair; undefined for a pair that was left out. */
function rowsByPosition(rows: readonly PairRows[], pairs: number): (PairRows | undefined)[] {
  const byPosition = new Array<PairRows | undefined>(pairs).fill(undefined);
  for (const row of rows) byPosition[row.position] = row;
  return byPosition;
}
