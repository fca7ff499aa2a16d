import * as tf from '@tensorflow/tfjs-core';
import {
  type BatchTotals,
  type PolicyBatch,
  type SurrogateOptions,
  surrogate,
  surrogateMetrics,
  surrogateOptions,
} from './surrogate.js';

/**
 * A policy-gradient loss. Both functions divide by the totals of the whole batch, so that their sums over micro-batches equal
 * one call on the whole batch.
 */
export interface PolicyLoss {
  readonly name: string;
  /**
   * The options of the loss with defaults filled in, as JSON. A run resumes only with the same ones, and `trainGrpo` reads from
   * `beta` whether the loss needs a reference policy.
   */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** @throws ShapeError if shapes do not match; InvalidArgumentError if `beta` is not 0 and reference values are missing. */
  loss(batch: PolicyBatch, totals: BatchTotals): tf.Scalar;
  /** Means over the tokens of the whole batch, under TRL's names. Not differentiable; call it outside the gradient. */
  metrics(batch: PolicyBatch, totals: BatchTotals): Promise<Record<string, number>>;
}

/**
 * Mean over all tokens of the whole batch: every token has the same weight (Yu et al. 2025, "DAPO"). TRL's `loss_type="dapo"`.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function dapoLoss(options: SurrogateOptions = {}): PolicyLoss {
  const resolved = surrogateOptions(options, 'dapoLoss');
  return {
    name: 'dapo',
    settings: { ...resolved },
    loss: (batch, totals) =>
      tf.tidy(() => tf.div<tf.Scalar>(tf.sum(surrogate(batch, resolved)), Math.max(1, totals.tokens))),
    metrics: (batch, totals) => surrogateMetrics(batch, totals, resolved),
  };
}

/**
 * Mean over sequences of the mean token loss of each sequence (Shao et al. 2024, "DeepSeekMath"). TRL's `loss_type="grpo"`.
 * Tokens of short completions have more weight than those of long ones; {@link dapoLoss} does not have this bias.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function grpoLoss(options: SurrogateOptions = {}): PolicyLoss {
  const resolved = surrogateOptions(options, 'grpoLoss');
  return {
    name: 'grpo',
    settings: { ...resolved },
    loss: (batch, totals) =>
      tf.tidy(() => {
        const lengths = tf.maximum(tf.sum(tf.cast(batch.mask, 'float32'), 1), 1); // [B]
        const means = tf.div(tf.sum(surrogate(batch, resolved), 1), lengths);
        return tf.div<tf.Scalar>(tf.sum(means), Math.max(1, totals.sequences));
      }),
    metrics: (batch, totals) => surrogateMetrics(batch, totals, resolved),
  };
}
