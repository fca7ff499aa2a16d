import { checkNumber, checkOptions, InvalidArgumentError, shown } from '@rarefy/core';
import type { StepMetrics } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs-core';
import { maskedDifference, sequenceSums } from './policy-batch.js';

/**
 * Whether the ratio is that of each token or of the whole sequence (their product), and whether ratios outside the limits become
 * the limit (truncate) or 0 (mask), which drops the token or sequence.
 */
export type SamplingCorrectionMode = 'token_truncate' | 'token_mask' | 'sequence_truncate' | 'sequence_mask';

const modes: readonly SamplingCorrectionMode[] = ['token_truncate', 'token_mask', 'sequence_truncate', 'sequence_mask'];

/**
 * Corrects for completions that another program sampled, such as a server in half precision or with older weights: the loss of a
 * token is multiplied by its probability under the policy over that under the program, within limits (Yao et al. 2025, "Your
 * efficient RL framework secretly brings you off-policy RL training"). As `vllm_importance_sampling_correction` in TRL.
 */
export interface SamplingCorrection {
  /** Default `sequence_mask`. TRL's `vllm_importance_sampling_mode`. */
  readonly mode?: SamplingCorrectionMode;
  /** Largest ratio, > 0; default 3, Infinity for none. TRL's `vllm_importance_sampling_clip_max`. */
  readonly clipMax?: number;
  /** Smallest ratio, in [0, clipMax]; default 0, which is none. TRL's `vllm_importance_sampling_clip_min`. */
  readonly clipMin?: number;
}

const optionNames = ['mode', 'clipMax', 'clipMin'] as const satisfies readonly (keyof SamplingCorrection)[];

/** All options, or undefined for no correction. @throws InvalidArgumentError if an option is unknown or out of range. */
export function resolvedCorrection(given: SamplingCorrection | false): Required<SamplingCorrection> | undefined {
  if (given === false) return undefined;
  const { mode = 'sequence_mask', clipMax = 3, clipMin = 0 } = checkOptions(given, optionNames, 'samplingCorrection');
  if (!modes.includes(mode)) {
    throw new InvalidArgumentError(`samplingCorrection.mode must be one of ${modes.join(', ')}, got ${shown(mode)}`);
  }
  if (!(typeof clipMax === 'number' && clipMax > 0)) {
    throw new InvalidArgumentError(`samplingCorrection.clipMax must be > 0, got ${shown(clipMax)}`);
  }
  checkNumber('samplingCorrection.clipMin', clipMin, 0, clipMax);
  return { mode, clipMax, clipMin };
}

/**
 * The factor of each token [B, T], or of each sequence [B, 1]. A token whose sampling log-probability is NaN counts as ratio 1.
 * Equals TRL 1.16. Not differentiable.
 * @param old log-probabilities of the policy before the first update: [B, T]
 * @param sampling those of the program that generated the tokens: [B, T]
 * @param mask 1 for tokens, 0 for padding: [B, T]
 */
export function samplingRatio(
  old: tf.Tensor2D,
  sampling: tf.Tensor2D,
  mask: tf.Tensor2D,
  { mode, clipMax, clipMin }: Required<SamplingCorrection>,
): tf.Tensor2D {
  return tf.tidy(() => {
    const isKnown: tf.Tensor = tf.logicalNot(tf.isNaN(sampling));
    const known = tf.logicalAnd(tf.cast(mask, 'bool'), isKnown);
    const difference = maskedDifference(old, sampling, known);
    const logRatio = mode.startsWith('sequence') ? sequenceSums(difference, mask) : difference;
    const ratio = tf.exp<tf.Tensor2D>(logRatio);
    if (mode.endsWith('truncate')) return tf.maximum(tf.minimum(ratio, clipMax), clipMin);
    const isInside = tf.logicalAnd(tf.greaterEqual(ratio, clipMin), tf.lessEqual(ratio, clipMax));
    return tf.where(isInside, ratio, tf.zerosLike(ratio)) as tf.Tensor2D;
  });
}

/** The inputs of {@link samplingCorrectionMetrics}: [B, T], and [B, 1] for the ratio of a sequence. */
interface SampledBatch {
  readonly oldLogProbabilities?: tf.Tensor2D;
  readonly samplingLogProbabilities?: tf.Tensor2D;
  readonly samplingRatio?: tf.Tensor2D;
  readonly mask: tf.Tensor2D;
}

/**
 * TRL's `sampling/sampling_logp_difference/mean` and `…/max` over the tokens whose sampling log-probability is known, and
 * `sampling/importance_sampling_ratio/min`, `…/mean` and `…/max`, over tokens or sequences. No metrics if the policy itself
 * sampled; 0 if there is no token.
 */
export async function samplingCorrectionMetrics(
  batches: readonly SampledBatch[],
  { mode }: Required<SamplingCorrection>,
): Promise<StepMetrics> {
  const differences = summary();
  const ratios = summary();
  for (const { oldLogProbabilities, samplingLogProbabilities, samplingRatio, mask } of batches) {
    if (!oldLogProbabilities || !samplingLogProbabilities || !samplingRatio) return {};
    const [old, sampling, ratio, real] = await Promise.all(
      [oldLogProbabilities, samplingLogProbabilities, samplingRatio, mask].map((tensor) => tensor.data()),
    );
    for (let index = 0; index < real!.length; index++) {
      if (real![index] === 0) continue;
      const difference = Math.abs(old![index]! - sampling![index]!);
      if (!Number.isNaN(difference)) differences.add(difference);
    }
    for (let index = 0; index < ratio!.length; index++) {
      if (mode.startsWith('sequence') || real![index] !== 0) ratios.add(ratio![index]!);
    }
  }
  return {
    'sampling/sampling_logp_difference/mean': differences.mean(),
    'sampling/sampling_logp_difference/max': differences.max(),
    'sampling/importance_sampling_ratio/min': ratios.min(),
    'sampling/importance_sampling_ratio/mean': ratios.mean(),
    'sampling/importance_sampling_ratio/max': ratios.max(),
  };
}

function summary() {
  let [count, sum, least, most] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return {
    add(value: number) {
      count++;
      sum += value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    },
    mean: () => (count === 0 ? 0 : sum / count),
    min: () => (count === 0 ? 0 : least),
    max: () => (count === 0 ? 0 : most),
  };
}
