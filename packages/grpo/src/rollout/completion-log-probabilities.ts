import { checkOptions } from '@rarefy/core';
import { type CausalLanguageModel, tokenLogProbabilities, tokenStatistics } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';

/** Prompts padded on the left, int32 [rows, P]; completions padded on the right, int32 [rows, C]. Masks are 1 for real tokens. */
export interface CompletionBatch {
  readonly promptIds: tf.Tensor2D;
  readonly promptMask: tf.Tensor2D;
  readonly completionIds: tf.Tensor2D;
  readonly completionMask: tf.Tensor2D;
}

export interface CompletionLogProbabilityOptions {
  /** Divides the logits, as when the tokens were sampled; default 1. */
  readonly temperature?: number;
  /** int32 [rows, P + C]; default: counts real tokens only. */
  readonly positions?: tf.Tensor2D;
}

/**
 * The logits that predict each completion token, [rows · C, vocabulary], and the tokens, int32 [rows · C]. Computes logits of
 * completion columns only. Call inside a tidy.
 */
function completionLogits(
  model: CausalLanguageModel,
  { promptIds, promptMask, completionIds, completionMask }: CompletionBatch,
  positions?: tf.Tensor2D,
): { logits: tf.Tensor2D; ids: tf.Tensor1D } {
  const ids = tf.concat([promptIds, completionIds], 1);
  const mask = tf.concat([promptMask, completionMask], 1);
  const hidden = model.hiddenStates(ids, mask, positions ? { positions } : {});
  const [rows, length] = completionIds.shape;
  const [, columns, width] = hidden.shape;
  const before = tf.slice(hidden, [0, columns - length - 1, 0], [rows, length, width]);
  return {
    logits: model.logits(tf.reshape(before, [rows * length, width])),
    ids: tf.reshape(completionIds, [-1]) as tf.Tensor1D,
  };
}

/** Log-probability of each completion token under the model: [rows, C]. Values at padding are meaningless; mask them out. */
export function completionLogProbabilities(
  model: CausalLanguageModel,
  batch: CompletionBatch,
  options: CompletionLogProbabilityOptions = {},
): tf.Tensor2D {
  checkOptions(options, ['temperature', 'positions'], 'completionLogProbabilities');
  const { temperature = 1, positions } = options;
  return tf.tidy(() => {
    const { logits, ids } = completionLogits(model, batch, positions);
    return tf.reshape(tokenLogProbabilities(logits, ids, temperature), batch.completionIds.shape);
  });
}

/**
 * Log-probability and entropy (in nats) of each completion token under the model: [rows, C] each, from one forward pass. Both are
 * differentiable. Values at padding are meaningless; mask them out. Call inside a tidy.
 */
export function completionLogProbabilitiesAndEntropies(
  model: CausalLanguageModel,
  batch: CompletionBatch,
  options: CompletionLogProbabilityOptions = {},
): { readonly logProbabilities: tf.Tensor2D; readonly entropies: tf.Tensor2D } {
  checkOptions(options, ['temperature', 'positions'], 'completionLogProbabilitiesAndEntropies');
  const { temperature = 1, positions } = options;
  const { logits, ids } = completionLogits(model, batch, positions);
  const shaped = (values: tf.Tensor1D) => tf.reshape(values, batch.completionIds.shape) as tf.Tensor2D;
  const { logProbabilities, entropies } = tokenStatistics(logits, ids, temperature);
  return { logProbabilities: shaped(logProbabilities), entropies: shaped(entropies) };
}
