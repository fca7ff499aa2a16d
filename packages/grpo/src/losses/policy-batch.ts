import { ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';

/** Completions of one micro-batch: B sequences, padded to T tokens. Values at padding never count, whatever they are. */
export interface PolicyBatch {
  /** [B, T], under the policy in training. The loss is differentiated through these. */
  readonly logProbabilities: tf.Tensor2D;
  /** [B, T], under the policy before the first update of this batch. Default: the current values, constant (the ratio is 1). */
  readonly oldLogProbabilities?: tf.Tensor2D;
  /** [B, T], under the reference policy; required if `beta` is not 0. */
  readonly referenceLogProbabilities?: tf.Tensor2D;
  /** [B, T], entropy of the policy at each token in nats, differentiable; required if the loss `usesEntropies`. */
  readonly entropies?: tf.Tensor2D;
  /** [B, T], under the program that generated the completions, if that is another one; default: the old ones. */
  readonly samplingLogProbabilities?: tf.Tensor2D;
  /** [B, T] or [B, 1]: importance ratio of old to sampling probabilities, truncated or masked; default 1. */
  readonly samplingRatio?: tf.Tensor2D;
  /** [B] */
  readonly advantages: tf.Tensor1D;
  /** [B]: factor of each sequence in the loss, such as the importance weight of its draw; default 1. Totals stay the same. */
  readonly sequenceWeights?: tf.Tensor1D;
  /** [B, T], any dtype: 1 for tokens of the completion including the stop token, 0 for padding and masked completions. */
  readonly mask: tf.Tensor2D;
}

/** Sizes of the whole batch of one optimizer step, over all its micro-batches. */
export interface BatchTotals {
  readonly sequences: number;
  /** Number of tokens with mask 1. */
  readonly tokens: number;
  /** The length limit of completions; required by `drGrpoLoss`, which divides by it. */
  readonly maxCompletionLength?: number;
  /** Weight of the entropy bonus in this step; default: `entropyCoef` of the loss. */
  readonly entropyCoef?: number;
}

/** @throws ShapeError if the tensors of a batch do not have matching shapes. */
export function checkPolicyBatch(batch: PolicyBatch): void {
  const [rows, length] = batch.logProbabilities.shape;
  const { oldLogProbabilities, referenceLogProbabilities, entropies, samplingLogProbabilities, mask } = batch;
  const matrices = { oldLogProbabilities, referenceLogProbabilities, entropies, samplingLogProbabilities, mask };
  for (const [name, tensor] of Object.entries(matrices)) {
    if (tensor && (tensor.shape[0] !== rows || tensor.shape[1] !== length)) {
      throw new ShapeError(
        `${name} is [${tensor.shape}], and logProbabilities is [${rows},${length}]; give both the same shape`,
      );
    }
  }
  const { advantages, sequenceWeights, samplingRatio } = batch;
  for (const [name, tensor] of Object.entries({ advantages, sequenceWeights })) {
    if (tensor && (tensor.rank !== 1 || tensor.shape[0] !== rows)) {
      throw new ShapeError(`${rows} sequences need ${name} [${rows}], got [${tensor.shape}]`);
    }
  }
  if (samplingRatio && (samplingRatio.shape[0] !== rows || ![1, length].includes(samplingRatio.shape[1]))) {
    throw new ShapeError(
      `samplingRatio must be [${rows},${length}] or [${rows},1], got [${samplingRatio.shape}]; give one ratio per token or sequence`,
    );
  }
}

/** a - b, and 0 at padding: [B, T]. Selects instead of multiplying, since NaN or infinity times 0 is NaN. */
export function maskedDifference(a: tf.Tensor, b: tf.Tensor, mask: tf.Tensor): tf.Tensor2D {
  return unpadded(tf.sub(a, b), mask);
}

/** The values where the mask is 1, and 0 at padding. */
export function unpadded(values: tf.Tensor, mask: tf.Tensor): tf.Tensor2D {
  return tf.where<tf.Tensor2D>(tf.cast(mask, 'bool'), values as tf.Tensor2D, tf.zerosLike(values as tf.Tensor2D));
}

/** Sum over the tokens of each sequence: [B, 1]. */
export function sequenceSums(values: tf.Tensor, mask: tf.Tensor): tf.Tensor2D {
  return tf.sum(tf.mul(values, tf.cast(mask, 'float32')), 1, true);
}

/** Number of tokens of each sequence, at least 1: [B, 1]. */
export function sequenceLengths(mask: tf.Tensor2D): tf.Tensor2D {
  return tf.maximum(tf.sum(tf.cast(mask, 'float32'), 1, true), 1);
}

/**
 * The result of `compute`, constant under differentiation: tfjs-core has no op for it. `compute` may use ops without gradient.
 */
export function constantOf<T extends tf.Tensor>(input: tf.Tensor, compute: (input: tf.Tensor) => T): T {
  const { shape } = input;
  return tf.customGrad<T>((given) => ({ value: compute(given as tf.Tensor), gradFunc: () => tf.zeros(shape) }))(input);
}
