import { type CallOptions, InputError, type Sampler, type SamplerState } from '@rarefy/core';
import type { Pair } from '@rarefy/data';
import {
  chatFormat,
  type LoadedModel,
  padRight,
  type RewardModel,
  shuffled,
  type TrainingOptions,
  trainWithCheckpoints,
} from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { pairDraws } from './pair-draws.js';

export interface RewardModelTrainingOptions extends TrainingOptions {
  /** Pairs a step; default 16. */
  readonly batchSize?: number;
  /** Pairs with a longer row are left out, as TRL does, since a cut answer is another answer. Default: the model's positions. */
  readonly maxLength?: number;
  /** Weight of mean((chosen + rejected)²), which keeps rewards around 0 (Eisenstein et al. 2023); default 0, recommended 0.01. */
  readonly centerRewardsCoefficient?: number;
  readonly seed: number;
  /** Draws the pairs of each step, by position in `pairs`. Pairs that are left out are skipped. Default: each pair once per epoch. */
  readonly sampler?: Sampler;
}

export interface RewardModelTrainingResult {
  /** Pairs trained on. */
  readonly pairs: number;
  /** Pairs left out because a row was longer than `maxLength`. */
  readonly tooLong: number;
}

interface PairRows {
  readonly position: number;
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
}

/**
 * Trains a reward model on preference pairs with the Bradley-Terry loss, -log σ(chosen - rejected). Metrics, TRL's names: `loss`,
 * `accuracy`, `margin`, `min_reward`, `mean_reward`, `max_reward`, `num_tokens`, `grad_norm`, `learning_rate`.
 * @throws InputError when no pair is short enough.
 */
export async function trainRewardModel(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer' | 'config'>,
  reward: RewardModel,
  pairs: readonly Pair[],
  options: RewardModelTrainingOptions,
): Promise<RewardModelTrainingResult> {
  const {
    batchSize = 16,
    maxLength = loaded.model.description.maxPositions,
    centerRewardsCoefficient = 0,
    seed,
    learningRate,
  } = options;
  const rows = tokenPairs(loaded, pairs, maxLength, options);
  if (rows.length === 0)
    throw new InputError(`none of the ${pairs.length} pairs has rows of at most ${maxLength} tokens; raise maxLength`);
  const draws = options.sampler && pairDraws(options.sampler, rowsByPosition(rows, pairs.length), batchSize);
  const batchAt = draws ? draws.batch : shuffled(rows, { batchSize, seed });
  let tokens = 0;
  await trainWithCheckpoints(
    {
      name: 'rm',
      loaded,
      parameters: reward.parameters,
      extra: () => reward.head(),
      settings: {
        ...{ task: 'rm', pairs: rows.length, batchSize, maxLength, centerRewardsCoefficient, seed, learningRate },
        ...(options.sampler && { sampler: options.sampler.fingerprint }),
      },
      async step(step, update) {
        const batch = batchAt(step - 1);
        const scores: number[] = [];
        const metrics = await update([() => bradleyTerryLoss(reward, batch, centerRewardsCoefficient, scores)]);
        tokens += batch.reduce((sum, { chosen, rejected }) => sum + chosen.length + rejected.length, 0);
        draws?.finish();
        return { ...metrics, ...preferenceMetrics(scores), num_tokens: tokens };
      },
      state: () => ({ tokens, ...(draws && { sampler: draws.state() }) }),
      restore: (state) => {
        const saved = state as { tokens: number; sampler: SamplerState };
        tokens = saved.tokens;
        draws?.restore(saved.sampler);
      },
    },
    options,
  );
  return { pairs: rows.length, tooLong: pairs.length - rows.length };
}

/** Mean of -log σ(chosen - rejected) plus the centring term; puts the rewards, chosen first, into `scores`. */
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

/** Bradley-Terry loss of rewards [n] and [n]; softplus(-x) is -log σ(x) without overflow. */
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
  { tokenizer }: Pick<LoadedModel, 'tokenizer'>,
  pairs: readonly Pair[],
  maxLength: number,
  { signal }: CallOptions,
): PairRows[] {
  const format = chatFormat(tokenizer);
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
