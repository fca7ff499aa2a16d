import { checkNumber, checkOptions, InvalidArgumentError, shown } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs-core';
import { sequenceLengths } from './policy-batch.js';
import {
  type PolicyLoss,
  type PolicyLossOptions,
  policyLoss,
  policyLossOptionNames,
  type Reduction,
} from './policy-loss.js';
import { cappedWeight, clippedSurrogate, gammaWeight, softGate } from './token-losses.js';

/** Options of losses that clip the ratio. */
export interface ClippedLossOptions extends PolicyLossOptions {
  /** Clips the ratio below 1 - epsilon; in [0, 1], default 0.2. */
  readonly epsilon?: number;
  /** Clips the ratio above 1 + epsilonHigh; ≥ 0, default `epsilon`. The DAPO paper uses 0.28. */
  readonly epsilonHigh?: number;
  /** Largest ratio of a sequence with negative advantage; above 1 + epsilonHigh. Default: none. */
  readonly delta?: number;
}

export interface CispoLossOptions extends PolicyLossOptions {
  /** Largest weight of a token; > 0. The paper of ScaleRL uses 5. It is the cap itself, not an offset to 1. */
  readonly epsilonHigh: number;
}

export interface SapoLossOptions extends PolicyLossOptions {
  /** Steepness of the gate if the advantage is positive; > 0, default 1. */
  readonly temperaturePos?: number;
  /** Steepness of the gate otherwise; > 0, default 1.05. */
  readonly temperatureNeg?: number;
}

export interface VespoLossOptions extends PolicyLossOptions {
  /** Shape of the weight if the advantage is ≥ 0: default k 2, λ 3. */
  readonly kPos?: number;
  readonly lambdaPos?: number;
  /** Shape of the weight if the advantage is negative: default k 3, λ 2. */
  readonly kNeg?: number;
  readonly lambdaNeg?: number;
}

const clippedNames = ['epsilon', 'epsilonHigh', 'delta'] as const satisfies readonly (keyof ClippedLossOptions)[];
const sapoNames = ['temperaturePos', 'temperatureNeg'] as const satisfies readonly (keyof SapoLossOptions)[];
const vespoNames = ['kPos', 'lambdaPos', 'kNeg', 'lambdaNeg'] as const satisfies readonly (keyof VespoLossOptions)[];

/**
 * Mean over all tokens of the whole batch: every token has the same weight (Yu et al. 2025, "DAPO"). TRL's `loss_type="dapo"`.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function dapoLoss(options: ClippedLossOptions = {}): PolicyLoss {
  return clippedLoss('dapo', 'dapoLoss', options, tokenMean);
}

/**
 * Mean over sequences of the mean token loss of each sequence (Shao et al. 2024, "DeepSeekMath"). TRL's `loss_type="grpo"`.
 * Tokens of short completions have more weight than those of long ones; {@link dapoLoss} does not have this bias.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function grpoLoss(options: ClippedLossOptions = {}): PolicyLoss {
  return clippedLoss('grpo', 'grpoLoss', options, meanOfSequenceMeans);
}

/**
 * Sum over all tokens, divided by the number of sequences times the length limit (Liu et al. 2025, "Understanding R1-Zero-like
 * training"). TRL's `loss_type="dr_grpo"`. Use it with `scaleRewards: 'none'`, as the paper does.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function drGrpoLoss(options: ClippedLossOptions = {}): PolicyLoss {
  return clippedLoss('dr_grpo', 'drGrpoLoss', options, (loss, _mask, { sequences, maxCompletionLength }) => {
    if (maxCompletionLength === undefined) {
      throw new InvalidArgumentError('drGrpoLoss divides by the length limit; give maxCompletionLength in the totals');
    }
    return tf.div(tf.sum(tf.sum(loss, 1)), Math.max(1, sequences) * maxCompletionLength);
  });
}

/**
 * Mean over sequences of the sum of each sequence (LUSPO, 2026): long completions weigh as their length. TRL's
 * `loss_type="luspo"`, meant for `importanceSamplingLevel: 'sequence'`, which is the default here.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function luspoLoss(options: ClippedLossOptions = {}): PolicyLoss {
  return clippedLoss(
    'luspo',
    'luspoLoss',
    { importanceSamplingLevel: 'sequence', ...options },
    (loss, _mask, { sequences }) => tf.div(tf.sum(tf.sum(loss, 1)), Math.max(1, sequences)),
  );
}

/**
 * Policy gradient with capped importance weights, as a mean over all tokens (MiniMax-M1, 2025): no token loses its gradient. TRL's
 * `loss_type="cispo"`.
 * @throws InvalidArgumentError if an option is unknown, missing or out of range.
 */
export function cispoLoss(options: CispoLossOptions): PolicyLoss {
  const { epsilonHigh, ...common } = knownOptions(options, ['epsilonHigh'], 'cispoLoss');
  checkPositive({ epsilonHigh: epsilonHigh as number });
  return policyLoss('cispo', { epsilonHigh }, common, cappedWeight(epsilonHigh as number), tokenMean);
}

/**
 * A smooth gate in place of the clip, as a mean over sequences of means (Gao et al. 2025, "Soft adaptive policy optimization").
 * TRL's `loss_type="sapo"`.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function sapoLoss(options: SapoLossOptions = {}): PolicyLoss {
  const { temperaturePos = 1, temperatureNeg = 1.05, ...common } = knownOptions(options, sapoNames, 'sapoLoss');
  checkPositive({ temperaturePos, temperatureNeg });
  const gate = softGate(temperaturePos, temperatureNeg);
  return policyLoss('sapo', { temperaturePos, temperatureNeg }, common, gate, meanOfSequenceMeans);
}

/**
 * Policy gradient weighted by a gamma-shaped function of the ratio of the whole sequence, as a mean over all tokens (VESPO, 2026).
 * TRL's `loss_type="vespo"`.
 * @throws InvalidArgumentError if an option is unknown or out of range.
 */
export function vespoLoss(options: VespoLossOptions = {}): PolicyLoss {
  const {
    kPos = 2,
    lambdaPos = 3,
    kNeg = 3,
    lambdaNeg = 2,
    ...common
  } = knownOptions(options, vespoNames, 'vespoLoss');
  checkPositive({ kPos, lambdaPos, kNeg, lambdaNeg });
  const weight = gammaWeight({ k: kPos, lambda: lambdaPos }, { k: kNeg, lambda: lambdaNeg });
  return policyLoss('vespo', { kPos, lambdaPos, kNeg, lambdaNeg }, common, weight, tokenMean);
}

/** The losses by TRL's `loss_type`. `bnpo` is left out: its value depends on the split into micro-batches. */
export const policyLosses = {
  dapo: dapoLoss,
  grpo: grpoLoss,
  dr_grpo: drGrpoLoss,
  luspo: luspoLoss,
  cispo: cispoLoss,
  sapo: sapoLoss,
  vespo: vespoLoss,
} as const;

const tokenMean: Reduction = (loss, _mask, { tokens }) => tf.div(tf.sum(tf.sum(loss, 1)), Math.max(1, tokens));

const meanOfSequenceMeans: Reduction = (loss, mask, { sequences }) =>
  tf.div(tf.sum(tf.div(tf.sum(loss, 1, true), sequenceLengths(mask))), Math.max(1, sequences));

function clippedLoss(name: string, where: string, options: ClippedLossOptions, reduce: Reduction): PolicyLoss {
  const known = knownOptions(options, clippedNames, where);
  const { epsilon = 0.2, epsilonHigh = epsilon, delta, ...common } = known;
  checkNumber('epsilon', epsilon, 0, 1);
  checkNumber('epsilonHigh', epsilonHigh, 0);
  if (delta !== undefined && !(delta > 1 + epsilonHigh && delta < Infinity)) {
    throw new InvalidArgumentError(`delta must be above 1 + epsilonHigh = ${1 + epsilonHigh}, got ${shown(delta)}`);
  }
  return policyLoss(
    name,
    { epsilon, epsilonHigh, delta },
    common,
    clippedSurrogate(epsilon, epsilonHigh, delta),
    reduce,
  );
}

function knownOptions<Options extends PolicyLossOptions>(options: Options, own: readonly string[], where: string) {
  checkOptions(options, [...own, ...policyLossOptionNames], where);
  return options;
}

function checkPositive(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!(Number.isFinite(value) && value > 0))
      throw new InvalidArgumentError(`${name} must be finite and > 0, got ${shown(value)}`);
  }
}
