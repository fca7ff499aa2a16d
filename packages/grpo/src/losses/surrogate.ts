import { checkNumber, checkOptions, InvalidArgumentError, ShapeError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';

/** Completions of one micro-batch: B sequences, padded to T tokens. Values at padding never count, whatever they are. */
export interface PolicyBatch {
  /** [B, T], under the policy in training. The loss is differentiated through these. */
  readonly logProbabilities: tf.Tensor2D;
  /** [B, T], under the policy that generated the completions. Default: the current values, constant (the ratio is 1). */
  readonly oldLogProbabilities?: tf.Tensor2D;
  /** [B, T], under the reference policy; required if `beta` is not 0. */
  readonly referenceLogProbabilities?: tf.Tensor2D;
  /** [B] */
  readonly advantages: tf.Tensor1D;
  /** [B]: factor of each sequence in the loss, such as the importance weight of its draw; default 1. Totals stay the same. */
  readonly sequenceWeights?: tf.Tensor1D;
  /** [B, T], any dtype: 1 for tokens of the completion including the stop token, 0 for padding. */
  readonly mask: tf.Tensor2D;
}

/** Sizes of the whole batch of one optimizer step, over all its micro-batches. */
export interface BatchTotals {
  readonly sequences: number;
  /** Number of tokens with mask 1. */
  readonly tokens: number;
}

export interface SurrogateOptions {
  /** Clips the ratio below 1 - epsilon; in [0, 1], default 0.2. */
  readonly epsilon?: number;
  /** Clips the ratio above 1 + epsilonHigh; ≥ 0, default `epsilon`. The DAPO paper uses 0.28. */
  readonly epsilonHigh?: number;
  /** Weight of the KL divergence to the reference policy; ≥ 0, default 0: no reference policy is needed. */
  readonly beta?: number;
  /**
   * Multiplies the KL estimate by the importance ratio, which makes its gradient an unbiased estimate of the gradient of the
   * reverse KL, even where the ratio is 1 (DeepSeek-V3.2, 2025). Default true, as `use_bias_correction_kl` in TRL.
   */
  readonly useBiasCorrectionKl?: boolean;
}

const optionNames = [
  'epsilon',
  'epsilonHigh',
  'beta',
  'useBiasCorrectionKl',
] as const satisfies readonly (keyof SurrogateOptions)[];

/**
 * The options with defaults filled in.
 * @param where name of the loss function, for messages
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function surrogateOptions(options: SurrogateOptions, where: string): Required<SurrogateOptions> {
  checkOptions(options, optionNames, where);
  const { epsilon = 0.2, epsilonHigh = epsilon, beta = 0, useBiasCorrectionKl = true } = options;
  checkNumber('epsilon', epsilon, 0, 1);
  checkNumber('epsilonHigh', epsilonHigh, 0);
  checkNumber('beta', beta, 0);
  return { epsilon, epsilonHigh, beta, useBiasCorrectionKl };
}

/**
 * The loss of every token: [B, T], exactly 0 at padding. The clipped surrogate (Schulman et al. 2017, PPO) plus `beta` times the
 * k3 estimate of the KL divergence (Schulman 2020, "Approximating KL divergence"), times the weight of the sequence:
 *
 *     -min(ρA, clip(ρ, 1 - epsilon, 1 + epsilonHigh)A) + beta · ρ · (exp(d) - d - 1)
 *
 * where ρ = exp(log π - log π_old) and d = log π_ref - log π. The second ρ is present only with `useBiasCorrectionKl`. The same
 * formula as in `GRPOTrainer` of TRL.
 */
export function surrogate(batch: PolicyBatch, options: Required<SurrogateOptions>): tf.Tensor2D {
  checkShapes(batch);
  const { epsilon, epsilonHigh, beta, useBiasCorrectionKl } = options;
  const { referenceLogProbabilities } = batch;
  const advantages = tf.expandDims(batch.advantages, 1); // [B, 1]
  const ratio = importanceRatio(batch);
  const clipped = tf.clipByValue(ratio, 1 - epsilon, 1 + epsilonHigh);
  let loss: tf.Tensor = tf.neg(tf.minimum(tf.mul(ratio, advantages), tf.mul(clipped, advantages)));
  if (beta !== 0) {
    if (!referenceLogProbabilities) {
      throw new InvalidArgumentError(
        `beta is ${beta}, and the batch has no referenceLogProbabilities; give them, or set beta to 0`,
      );
    }
    const kl = divergence(batch, referenceLogProbabilities);
    loss = tf.add(loss, tf.mul(useBiasCorrectionKl ? tf.mul(kl, ratio) : kl, beta));
  }
  const masked = tf.mul<tf.Tensor2D>(loss, tf.cast(batch.mask, 'float32'));
  return batch.sequenceWeights ? tf.mul(masked, tf.expandDims(batch.sequenceWeights, 1)) : masked;
}

/**
 * Share of tokens whose gradient is removed by clipping: below, above, and together. Also `kl`, if the batch has reference
 * log-probabilities. Each is divided by the tokens of the whole batch.
 */
export async function surrogateMetrics(
  batch: PolicyBatch,
  totals: BatchTotals,
  options: Required<SurrogateOptions>,
): Promise<Record<string, number>> {
  checkShapes(batch);
  const { referenceLogProbabilities } = batch;
  const sums = tf.tidy(() => {
    const mask = tf.cast(batch.mask, 'float32');
    const ratio = importanceRatio(batch);
    const advantages = tf.expandDims(batch.advantages, 1);
    const low = tf.logicalAnd(tf.less(ratio, 1 - options.epsilon), tf.less(advantages, 0));
    const high = tf.logicalAnd(tf.greater(ratio, 1 + options.epsilonHigh), tf.greater(advantages, 0));
    const columns = [tf.cast(low, 'float32'), tf.cast(high, 'float32')];
    if (referenceLogProbabilities) {
      const kl = divergence(batch, referenceLogProbabilities);
      columns.push(options.useBiasCorrectionKl ? tf.mul(kl, ratio) : kl);
    }
    return tf.stack(columns.map((column) => tf.sum(tf.mul(column, mask))));
  });
  const values = await sums.data();
  sums.dispose();
  const [low, high, kl] = Array.from(values, (sum) => sum / Math.max(1, totals.tokens));
  return {
    'clip_ratio/low_mean': low!,
    'clip_ratio/high_mean': high!,
    'clip_ratio/region_mean': low! + high!,
    ...(kl === undefined ? {} : { kl }),
  };
}

/** π / π_old [B, T]; 1 at padding. */
function importanceRatio({ logProbabilities, oldLogProbabilities, mask }: PolicyBatch): tf.Tensor {
  return tf.exp(difference(logProbabilities, oldLogProbabilities ?? stopGradient(logProbabilities), mask));
}

/** k3, ≥ 0 [B, T]; 0 at padding. */
function divergence({ logProbabilities, mask }: PolicyBatch, reference: tf.Tensor2D): tf.Tensor {
  const d = difference(reference, logProbabilities, mask);
  return tf.sub(tf.sub(tf.exp(d), d), 1);
}

/** a - b, and 0 at padding. Selects instead of multiplying, since NaN or infinity times 0 is NaN. */
function difference(a: tf.Tensor2D, b: tf.Tensor2D, mask: tf.Tensor2D): tf.Tensor {
  const values = tf.sub(a, b);
  return tf.where(tf.cast(mask, 'bool'), values, tf.zerosLike(values));
}

/** The same values, constant under differentiation. tfjs-core has no such op. */
function stopGradient<T extends tf.Tensor>(tensor: T): T {
  return tf.customGrad<T>((input) => ({
    value: tf.clone(input as T),
    gradFunc: (dy) => tf.zerosLike(dy),
  }))(tensor);
}

function checkShapes(batch: PolicyBatch): void {
  const [rows, length] = batch.logProbabilities.shape;
  const { oldLogProbabilities, referenceLogProbabilities, mask, advantages, sequenceWeights } = batch;
  for (const [name, tensor] of Object.entries({ oldLogProbabilities, referenceLogProbabilities, mask })) {
    if (tensor && (tensor.shape[0] !== rows || tensor.shape[1] !== length)) {
      throw new ShapeError(
        `${name} is [${tensor.shape}], and logProbabilities is [${rows},${length}]; give both the same shape`,
      );
    }
  }
  for (const [name, tensor] of Object.entries({ advantages, sequenceWeights })) {
    if (tensor && tensor.shape[0] !== rows) {
      throw new ShapeError(`${rows} sequences need ${name} [${rows}], got [${tensor.shape}]`);
    }
  }
}
