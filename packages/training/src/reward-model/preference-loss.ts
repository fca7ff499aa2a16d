import { padRight, type RewardModel } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import type { PairRows } from './pair-rows.js';

export interface PreferenceLossOptions {
  /** By how much the chosen answer should be better, [n] (Touvron et al. 2023, "Llama 2"); default 0. */
  readonly margins?: tf.Tensor1D;
  /** Weight of mean((chosen + rejected)²), which centers rewards at 0 (Eisenstein et al. 2023); default 0. */
  readonly centerRewardsCoefficient?: number;
  /** Number of pairs of the whole batch, if these are some of them: the losses of its parts add up to its loss. Default: n. */
  readonly pairs?: number;
}

/**
 * Bradley-Terry loss of rewards [n] and [n], as `RewardTrainer` of TRL computes it: mean of -log σ(chosen - rejected - margin),
 * plus the centering term. softplus(-x) is -log σ(x) without overflow.
 */
export function preferenceLoss(
  chosen: tf.Tensor1D,
  rejected: tf.Tensor1D,
  { margins, centerRewardsCoefficient = 0, pairs = chosen.size }: PreferenceLossOptions = {},
): tf.Scalar {
  return tf.tidy(() => {
    const missing = tf.sub(rejected, chosen);
    const loss = tf.sum(tf.softplus(margins ? tf.add(missing, margins) : missing));
    const center = tf.mul(tf.sum(tf.square(tf.add(chosen, rejected))), centerRewardsCoefficient);
    return tf.div(tf.add(loss, center), pairs) as tf.Scalar;
  });
}

/** Rewards of pairs, in order. */
export interface PairRewards {
  readonly chosen: number[];
  readonly rejected: number[];
}

/** Loss of some pairs of a batch. Appends their rewards to `seen`. */
export function pairLoss(
  reward: RewardModel,
  part: readonly PairRows[],
  options: { readonly centerRewardsCoefficient: number; readonly pairs: number },
  seen: PairRewards,
): tf.Scalar {
  return tf.tidy(() => {
    const { ids, mask } = padRight([...part.map((pair) => pair.chosen), ...part.map((pair) => pair.rejected)]);
    const rewards = reward.score(ids, mask);
    const values = rewards.dataSync();
    seen.chosen.push(...values.subarray(0, part.length));
    seen.rejected.push(...values.subarray(part.length));
    return preferenceLoss(tf.slice(rewards, 0, part.length), tf.slice(rewards, part.length), {
      ...options,
      margins: tf.tensor1d(part.map(({ margin }) => margin)),
    });
  });
}

/** TRL's metrics of a batch of rewards. */
export function preferenceMetrics({ chosen, rejected }: PairRewards) {
  const margins = chosen.map((reward, index) => reward - rejected[index]!);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const all = [...chosen, ...rejected];
  return {
    accuracy: mean(margins.map((margin) => (margin > 0 ? 1 : 0))),
    margin: mean(margins),
    min_reward: all.reduce((least, value) => Math.min(least, value)),
    mean_reward: mean(all),
    max_reward: all.reduce((most, value) => Math.max(most, value)),
  };
}

/** Consecutive parts of at most `size` pairs. */
export function partsOf<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, part) =>
    items.slice(part * size, (part + 1) * size),
  );
}
