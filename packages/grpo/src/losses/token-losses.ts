import * as tf from '@tensorflow/tfjs-core';
import { constantOf, sequenceSums } from './policy-batch.js';

/** What the loss of a token is computed from. All are 0 or 1 at padding, never NaN or infinite. */
export interface RatioTerms {
  /** log π of each token: [B, T]. */
  readonly logProbabilities: tf.Tensor2D;
  /** log π - log π_old of each token: [B, T]. */
  readonly logRatio: tf.Tensor2D;
  /** π / π_old of each token [B, T], or of each sequence [B, 1]. */
  readonly ratio: tf.Tensor2D;
  /** [B, 1] */
  readonly advantages: tf.Tensor2D;
  /** [B, T], 0 or 1. */
  readonly mask: tf.Tensor2D;
  /** [B, T] or [B, 1]: π_old over the probability under the program that generated the tokens. */
  readonly samplingRatio?: tf.Tensor2D;
}

/** A loss per token or sequence, [B, T] or [B, 1]: what is minimized before masks, the KL term and the mean. */
export interface TokenLoss {
  readonly loss: (terms: RatioTerms) => tf.Tensor;
  /** Indicators whose means are logged, by name: [B, T] or [B, 1] each. */
  readonly indicators: (terms: RatioTerms) => Readonly<Record<string, tf.Tensor>>;
  /** Whether `loss` includes the sampling ratio; otherwise it is multiplied by it. */
  readonly includesSamplingRatio?: boolean;
}

/**
 * The clipped surrogate of PPO (Schulman et al. 2017): -min(ρA, clip(ρ, 1 - epsilon, 1 + epsilonHigh)A). With `delta`, the ρ of
 * the first product is at most `delta` (INTELLECT-2, Prime Intellect 2025), which bounds the loss where A < 0.
 */
export function clippedSurrogate(epsilon: number, epsilonHigh: number, delta = Infinity): TokenLoss {
  const capped = (ratio: tf.Tensor2D) => (delta === Infinity ? ratio : tf.minimum(ratio, delta));
  return {
    loss({ ratio, advantages }) {
      const clipped = tf.clipByValue(ratio, 1 - epsilon, 1 + epsilonHigh);
      return tf.neg(tf.minimum(tf.mul(capped(ratio), advantages), tf.mul(clipped, advantages)));
    },
    indicators({ ratio, advantages }) {
      const low = tf.logicalAnd(tf.less(capped(ratio), 1 - epsilon), tf.less(advantages, 0));
      const high = tf.logicalAnd(tf.greater(capped(ratio), 1 + epsilonHigh), tf.greater(advantages, 0));
      return { 'clip_ratio/low': low, 'clip_ratio/high': high, 'clip_ratio/region': tf.logicalOr(low, high) };
    },
  };
}

/** CISPO (MiniMax-M1, 2025): -min(ρ, cap) A log π, where the first factor is constant under differentiation. */
export function cappedWeight(cap: number): TokenLoss {
  return {
    loss: ({ ratio, advantages, logProbabilities }) =>
      tf.neg(
        tf.mul(
          tf.mul(
            constantOf(ratio, (values) => tf.minimum(values, cap)),
            advantages,
          ),
          logProbabilities,
        ),
      ),
    indicators: ({ ratio, advantages }) => ({
      cispo_clip_ratio: tf.logicalAnd(tf.greater(ratio, cap), tf.greater(advantages, 0)),
    }),
  };
}

/** SAPO (Gao et al. 2025): -(4 / τ) σ(τ(ρ - 1)) A, where τ is `positive` if A > 0 and `negative` otherwise. */
export function softGate(positive: number, negative: number): TokenLoss {
  return {
    loss({ ratio, advantages }) {
      const isPositive = tf.greater(advantages, 0);
      const temperatures = tf.where(
        isPositive,
        tf.fill(advantages.shape, positive),
        tf.fill(advantages.shape, negative),
      );
      const gate = tf.sigmoid(tf.mul(temperatures, tf.sub(ratio, 1)));
      return tf.neg(tf.mul(tf.mul(gate, tf.div(4, temperatures)), advantages));
    },
    indicators: () => ({}),
  };
}

/** k and λ of {@link gammaWeight}. */
export interface GammaShape {
  readonly k: number;
  readonly lambda: number;
}

/**
 * VESPO (Shen et al. 2026): -φ(w) A log π, where w is the ratio of the whole sequence and φ(w) = w^k exp(λ - λw), constant under
 * differentiation. `positive` is the shape if A ≥ 0.
 */
export function gammaWeight(positive: GammaShape, negative: GammaShape): TokenLoss {
  const smallest = Math.log(1e-8);
  /** φ(w) of each sequence: [B, 1]. */
  const weights = (terms: RatioTerms) => constantOf(terms.logRatio, (logRatio) => weightsOf({ ...terms, logRatio }));
  const weightsOf = ({
    logRatio,
    advantages,
    mask,
    samplingRatio,
  }: Omit<RatioTerms, 'logRatio'> & { logRatio: tf.Tensor }) => {
    let logWeight = sequenceSums(tf.clipByValue(logRatio, -20, 20), mask);
    if (samplingRatio) {
      const logSampling = tf.clipByValue(tf.log(samplingRatio), smallest, 20);
      logWeight = tf.add(logWeight, samplingRatio.shape[1] === 1 ? logSampling : sequenceSums(logSampling, mask));
    }
    logWeight = tf.clipByValue(logWeight, smallest, 20);
    const isPositive = tf.greaterEqual(advantages, 0);
    const either = (one: number, other: number) =>
      tf.where(isPositive, tf.fill(advantages.shape, one), tf.fill(advantages.shape, other));
    const k = either(positive.k, negative.k);
    const lambda = tf.maximum(either(positive.lambda, negative.lambda), 1e-4);
    return tf.exp(tf.add(lambda, tf.sub(tf.mul(k, logWeight), tf.mul(lambda, tf.exp(logWeight)))));
  };
  return {
    loss: (terms) => tf.neg(tf.mul(tf.mul(weights(terms), terms.advantages), terms.logProbabilities)),
    indicators: (terms) => ({ 'vespo/phi_seq': weights(terms) }),
    includesSamplingRatio: true,
  };
}
