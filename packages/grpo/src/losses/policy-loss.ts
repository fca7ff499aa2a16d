import { checkNumber, checkOptions, InvalidArgumentError, shown } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import {
  type BatchTotals,
  checkPolicyBatch,
  constantOf,
  maskedDifference,
  type PolicyBatch,
  sequenceLengths,
  sequenceSums,
  unpadded,
} from './policy-batch.js';
import type { RatioTerms, TokenLoss } from './token-losses.js';

/**
 * A policy-gradient loss. Both functions divide by the totals of the whole batch, so that the results of its micro-batches
 * combine to those of one call on the whole batch.
 */
export interface PolicyLoss {
  readonly name: string;
  /** All options with their defaults, as JSON. A run resumes only with equal settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Whether `loss` reads `referenceLogProbabilities`; default false. */
  readonly usesReference?: boolean;
  /** Whether `loss` reads `entropies`; default false. */
  readonly usesEntropies?: boolean;
  /** How a trainer changes `entropyCoef` of the totals; default: it does not. */
  readonly adaptiveEntropy?: Required<AdaptiveEntropy>;
  /** @throws ShapeError if shapes do not match; InvalidArgumentError if a tensor that the loss uses is missing. */
  loss(batch: PolicyBatch, totals: BatchTotals): tf.Scalar;
  /**
   * Metrics under TRL's names. Not differentiable; call it outside the gradient. Those of micro-batches combine to those of the
   * batch: the smallest of names that end in `_min`, the largest of `_max` (NaN: no value), the sum of all others.
   */
  metrics(batch: PolicyBatch, totals: BatchTotals): Promise<Record<string, number>>;
}

/** Options of every loss. */
export interface PolicyLossOptions {
  /** Weight of the KL divergence to the reference policy; ≥ 0, default 0: no reference policy is needed. */
  readonly beta?: number;
  /**
   * Multiplies the KL estimate by the importance ratio, which makes its gradient an unbiased estimate of the gradient of the
   * reverse KL, even where the ratio is 1 (DeepSeek-V3.2, 2025). Default true, as `use_bias_correction_kl` in TRL.
   */
  readonly useBiasCorrectionKl?: boolean;
  /** Whether the ratio is that of each token (default), or the geometric mean over its sequence (GSPO, Zheng et al. 2025). */
  readonly importanceSamplingLevel?: 'token' | 'sequence';
  /**
   * Learns only from this share of the tokens of a micro-batch, those with the highest entropy; in (0, 1], default 1 (Wang et al.
   * 2025, "Beyond the 80/20 rule"). The KL term keeps all tokens. The share is of each micro-batch, as in TRL.
   */
  readonly topEntropyQuantile?: number;
  /** Weight of the mean entropy of the tokens, which is maximized; ≥ 0, default 0. */
  readonly entropyCoef?: number;
  /** Changes `entropyCoef` while training, to hold the entropy at a target; default: it stays. */
  readonly adaptiveEntropy?: AdaptiveEntropy;
  /**
   * Drops sequences with negative advantage whose mean log(π_old / π) is larger, since they have become unlikely (DeepSeek-V3.2,
   * 2025). Default: none.
   */
  readonly offPolicyMaskThreshold?: number;
}

/**
 * After each optimizer step, `entropyCoef` grows by `delta` if the mean entropy of the step is at most `target`, and else shrinks
 * by it. It applies only while the entropy of the step before is at most `target` (He et al. 2025, "Skywork-OR1").
 */
export interface AdaptiveEntropy {
  /** In nats per token; default 0.2. */
  readonly target?: number;
  /** Default 0.005. */
  readonly delta?: number;
  /** Smallest coefficient; default 0. */
  readonly min?: number;
  /** Largest coefficient; default 1. */
  readonly max?: number;
}

/** Names of {@link PolicyLossOptions}. */
export const policyLossOptionNames = [
  'beta',
  'useBiasCorrectionKl',
  'importanceSamplingLevel',
  'topEntropyQuantile',
  'entropyCoef',
  'adaptiveEntropy',
  'offPolicyMaskThreshold',
] as const satisfies readonly (keyof PolicyLossOptions)[];
const adaptiveNames = ['target', 'delta', 'min', 'max'] as const satisfies readonly (keyof AdaptiveEntropy)[];
/** The mean of a batch over token losses [B, T], which are 0 at padding. */
export type Reduction = (loss: tf.Tensor2D, mask: tf.Tensor2D, totals: BatchTotals) => tf.Scalar;

/** One loss from its parts: the loss of a token, and the mean over the batch. */
export function policyLoss(
  name: string,
  own: Readonly<Record<string, unknown>>,
  common: PolicyLossOptions,
  tokenLoss: TokenLoss,
  reduce: Reduction,
): PolicyLoss {
  const options = commonOptions(common);
  const { beta, entropyCoef, adaptiveEntropy, topEntropyQuantile } = options;
  const hasBonus = entropyCoef > 0 || adaptiveEntropy !== undefined;
  const usesEntropies = hasBonus || topEntropyQuantile < 1;

  /** Without the entropy bonus. */
  const policyTerm = (batch: PolicyBatch, totals: BatchTotals): tf.Scalar =>
    reduce(maskedLoss(batch, tokenLoss, options), tf.cast(batch.mask, 'float32'), totals);

  return {
    name,
    settings: { ...own, ...options },
    usesReference: beta !== 0,
    usesEntropies,
    ...(adaptiveEntropy && { adaptiveEntropy }),
    loss: (batch, totals) =>
      tf.tidy(() => {
        const loss = policyTerm(batch, totals);
        const { entropyCoef: coefficient = entropyCoef } = totals;
        if (!hasBonus || coefficient === 0) return loss;
        return tf.sub(loss, tf.mul(coefficient, entropyTerm(batch, totals, topEntropyQuantile)));
      }),
    async metrics(batch, totals) {
      checkPolicyBatch(batch);
      const values = tf.tidy(() => ({
        ...ratioMetrics(batch, totals, tokenLoss, options),
        ...(hasBonus && {
          policy_loss: policyTerm(batch, totals),
          entropy_bonus: entropyTerm(batch, totals, topEntropyQuantile),
        }),
      }));
      const numbers = await Promise.all(Object.values(values).map(async (value) => (await value.data())[0]!));
      tf.dispose(values);
      // NaN stands for "no sequence": tfjs has no minimum that skips missing values.
      return Object.fromEntries(
        Object.keys(values).map((key, index) => [key, Math.abs(numbers[index]!) === Infinity ? NaN : numbers[index]!]),
      );
    },
  };
}

/** The loss of every token [B, T], exactly 0 at padding: masks, sampling ratio and KL term as `GRPOTrainer` of TRL adds them. */
function maskedLoss(batch: PolicyBatch, tokenLoss: TokenLoss, options: ResolvedOptions): tf.Tensor2D {
  checkPolicyBatch(batch);
  const { beta, offPolicyMaskThreshold, topEntropyQuantile } = options;
  const terms = ratioTerms(batch, options);
  const { mask, ratio, logProbabilities, samplingRatio } = terms;
  let loss = tokenLoss.loss(terms);
  if (offPolicyMaskThreshold !== undefined) {
    const sampled = batch.samplingLogProbabilities ?? batch.oldLogProbabilities ?? batch.logProbabilities;
    const kept = constantOf(logProbabilities, (current) => {
      const drift = maskedDifference(sampled, current, mask); // log π_old - log π
      const isNear = tf.lessEqual(tf.div(sequenceSums(drift, mask), sequenceLengths(mask)), offPolicyMaskThreshold);
      return tf.cast(tf.logicalOr(isNear, tf.greaterEqual(terms.advantages, 0)), 'float32');
    });
    loss = tf.mul(loss, kept);
  }
  if (topEntropyQuantile < 1) loss = tf.mul(loss, highEntropyMask(batch, topEntropyQuantile));
  if (samplingRatio && !tokenLoss.includesSamplingRatio) loss = tf.mul(loss, samplingRatio);
  if (beta !== 0) loss = tf.add(loss, tf.mul(beta, divergence(batch, ratio, options)));
  const masked = tf.mul<tf.Tensor2D>(loss, mask);
  return batch.sequenceWeights ? tf.mul(masked, tf.expandDims(batch.sequenceWeights, 1)) : masked;
}

function ratioTerms(batch: PolicyBatch, { importanceSamplingLevel }: ResolvedOptions): RatioTerms {
  const { mask, samplingRatio } = batch;
  const current = batch.logProbabilities;
  const logRatio = maskedDifference(current, batch.oldLogProbabilities ?? constantOf(current, tf.clone), mask);
  const floats = tf.cast<tf.Tensor2D>(mask, 'float32');
  const logMean: tf.Tensor2D =
    importanceSamplingLevel === 'token'
      ? logRatio
      : tf.div<tf.Tensor2D>(sequenceSums(logRatio, floats), sequenceLengths(floats));
  return {
    logProbabilities: unpadded(current, mask),
    logRatio,
    ratio: tf.exp<tf.Tensor2D>(logMean),
    advantages: tf.expandDims<tf.Tensor2D>(batch.advantages, 1),
    mask: floats,
    ...(samplingRatio && { samplingRatio }),
  };
}

/** k3 (Schulman 2020, "Approximating KL divergence"): [B, T], ≥ 0 and 0 at padding; times the ratio if so configured. */
function divergence(batch: PolicyBatch, ratio: tf.Tensor, { beta, useBiasCorrectionKl }: ResolvedOptions): tf.Tensor {
  if (!batch.referenceLogProbabilities) {
    throw new InvalidArgumentError(
      `beta is ${beta}, and the batch has no referenceLogProbabilities; give them, or set beta to 0`,
    );
  }
  const d = maskedDifference(batch.referenceLogProbabilities, batch.logProbabilities, batch.mask);
  const kl = tf.sub(tf.sub(tf.exp(d), d), 1);
  return useBiasCorrectionKl ? tf.mul(kl, ratio) : kl;
}

/** 1 for tokens whose entropy is at least the quantile 1 - `share` of all tokens, else 0: [B, T]. Interpolates linearly. */
function highEntropyMask(batch: PolicyBatch, share: number): tf.Tensor2D {
  const isReal: tf.Tensor = tf.cast(batch.mask, 'bool');
  return constantOf(entropiesOf(batch), (entropies) => {
    const known = tf.where(isReal, entropies, tf.fill(entropies.shape, -1)) as tf.Tensor2D; // entropies are ≥ 0
    const { values } = tf.topk(tf.reshape(known, [-1]), known.size); // largest first
    const last = tf.sub(tf.sum(tf.cast(isReal, 'float32')), 1);
    const rank = tf.maximum(tf.mul(last, 1 - share), 0); // from the smallest
    const below = tf.floor(rank);
    const valueAt = (index: tf.Tensor) =>
      tf.gather(values, tf.cast(tf.maximum(tf.sub(last, index), 0), 'int32') as tf.Tensor1D);
    const [low, high] = [valueAt(below), valueAt(tf.ceil(rank))];
    const threshold = tf.add(low, tf.mul(tf.sub(rank, below), tf.sub(high, low)));
    return tf.cast(tf.logicalAnd(isReal, tf.greaterEqual(known, threshold)), 'float32') as tf.Tensor2D;
  });
}

/** Mean entropy of the tokens that the policy term learns from, as this micro-batch's share of the mean over the batch. */
function entropyTerm(batch: PolicyBatch, { tokens }: BatchTotals, topEntropyQuantile: number): tf.Scalar {
  const entropies = unpadded(entropiesOf(batch), batch.mask);
  const all = tf.sum(tf.cast(batch.mask, 'float32'));
  const kept = topEntropyQuantile < 1 ? highEntropyMask(batch, topEntropyQuantile) : tf.cast(batch.mask, 'float32');
  const mean = tf.div(tf.sum(tf.mul(entropies, kept)), tf.maximum(tf.sum(kept), 1));
  return tf.mul(mean, tf.div(all, Math.max(1, tokens)));
}

function entropiesOf({ entropies }: PolicyBatch): tf.Tensor2D {
  if (entropies) return entropies;
  throw new InvalidArgumentError('the loss uses entropies, and the batch has none; give entropies: [B, T]');
}

/** The means that TRL logs, and `kl` if the batch has reference values. Infinite: no sequence has tokens. */
function ratioMetrics(
  batch: PolicyBatch,
  totals: BatchTotals,
  tokenLoss: TokenLoss,
  options: ResolvedOptions,
): Record<string, tf.Scalar> {
  const terms = ratioTerms(batch, options);
  const { mask } = terms;
  const isReal = tf.greater(tf.sum(mask, 1, true), 0); // [B, 1]
  const metrics: Record<string, tf.Scalar> = {};
  for (const [name, indicator] of Object.entries(tokenLoss.indicators(terms))) {
    const values = tf.cast(indicator, 'float32');
    const perSequence = values.shape[1] === 1;
    const sum = perSequence ? tf.sum(values) : tf.sum(tf.mul(values, mask));
    const mean = tf.div<tf.Scalar>(sum, Math.max(1, perSequence ? totals.sequences : totals.tokens));
    if (!name.startsWith('clip_ratio/')) {
      metrics[name === 'vespo/phi_seq' ? 'vespo/phi_seq_mean' : name] = mean;
      continue;
    }
    metrics[`${name}_mean`] = mean;
    const sequenceMeans = perSequence ? values : tf.div(sequenceSums(values, mask), sequenceLengths(mask));
    const orElse = (missing: number) => tf.where(isReal, sequenceMeans, tf.fill(isReal.shape, missing));
    if (name === 'clip_ratio/low') metrics['clip_ratio/low_min'] = tf.min(orElse(Infinity));
    if (name === 'clip_ratio/high') metrics['clip_ratio/high_max'] = tf.max(orElse(-Infinity));
  }
  if (batch.referenceLogProbabilities) {
    const kl = divergence(batch, terms.ratio, options);
    metrics.kl = tf.div(tf.sum(tf.mul(kl, mask)), Math.max(1, totals.tokens));
  }
  return metrics;
}

interface ResolvedOptions extends Required<Omit<PolicyLossOptions, 'adaptiveEntropy' | 'offPolicyMaskThreshold'>> {
  readonly adaptiveEntropy: Required<AdaptiveEntropy> | undefined;
  readonly offPolicyMaskThreshold: number | undefined;
}

function commonOptions(options: PolicyLossOptions): ResolvedOptions {
  const { beta = 0, useBiasCorrectionKl = true, importanceSamplingLevel = 'token', topEntropyQuantile = 1 } = options;
  const { entropyCoef = 0, offPolicyMaskThreshold } = options;
  for (const [name, value] of Object.entries({ beta, entropyCoef })) checkNumber(name, value, 0);
  if (offPolicyMaskThreshold !== undefined) checkNumber('offPolicyMaskThreshold', offPolicyMaskThreshold, 0);
  if (typeof useBiasCorrectionKl !== 'boolean') {
    throw new InvalidArgumentError(`useBiasCorrectionKl must be true or false, got ${shown(useBiasCorrectionKl)}`);
  }
  if (importanceSamplingLevel !== 'token' && importanceSamplingLevel !== 'sequence') {
    throw new InvalidArgumentError(
      `importanceSamplingLevel must be 'token' or 'sequence', got ${shown(importanceSamplingLevel)}`,
    );
  }
  if (!(topEntropyQuantile > 0 && topEntropyQuantile <= 1)) {
    throw new InvalidArgumentError(`topEntropyQuantile must be in (0, 1], got ${shown(topEntropyQuantile)}`);
  }
  const adaptiveEntropy = options.adaptiveEntropy && adaptive(options.adaptiveEntropy);
  return {
    ...{ beta, useBiasCorrectionKl, importanceSamplingLevel, topEntropyQuantile },
    ...{ entropyCoef, adaptiveEntropy, offPolicyMaskThreshold },
  };
}

function adaptive(options: AdaptiveEntropy): Required<AdaptiveEntropy> {
  checkOptions(options, adaptiveNames, 'adaptiveEntropy');
  const { target = 0.2, delta = 0.005, min = 0, max = 1 } = options;
  for (const [name, value] of Object.entries({ target, delta, min, max }))
    checkNumber(`adaptiveEntropy.${name}`, value, 0);
  if (min > max) throw new InvalidArgumentError(`adaptiveEntropy.min is ${min}, above max ${max}`);
  return { target, delta, min, max };
}
