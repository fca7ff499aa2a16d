import { checkFinite, checkOptions, InvalidArgumentError } from '@rarefy/core';
import { logGamma, noncentralTCdf, tQuantile } from './distributions.js';
import { checkOpenUnit, checkValues, meanOf, squaresOf } from './numbers.js';

/** Lower and upper end. */
export type Interval = readonly [lower: number, upper: number];

export interface EffectSizeOptions {
  /** Confidence level of the intervals, between 0 and 1; default 0.95. */
  readonly level?: number;
  /** A change that the difference is divided by; not 0. Default: none, and no `share`. */
  readonly change?: number;
}

export interface EffectSize {
  /** Mean of a minus mean of b. */
  readonly difference: number;
  /** Welch's interval of the difference: the arms may have different variances. */
  readonly interval: Interval;
  /** Standard error of the difference, from both variances. */
  readonly standardError: number;
  /** Of Welch's interval, after Satterthwaite. NaN if the runs of each arm are all equal. */
  readonly degreesOfFreedom: number;
  /** Pooled standard deviation of a run. */
  readonly deviation: number;
  /** Difference in pooled standard deviations, corrected for the bias of small samples. NaN if `deviation` is 0. */
  readonly hedgesG: number;
  /** Exact interval of the standardized difference for normal values with equal variances. NaN if `deviation` is 0. */
  readonly hedgesInterval: Interval;
  /** The difference and its interval divided by `change`, if given: 0.4 is 40 %. */
  readonly share?: { readonly value: number; readonly interval: Interval };
}

const optionNames = ['level', 'change'] satisfies (keyof EffectSizeOptions)[];

/**
 * How large the difference between two arms is, with intervals. The values are one number per run. Deterministic.
 *
 * `share` states the difference as a part of something known: if uniform runs lost 10 distinct answers during training and
 * another arm ends 4 above them, `change: 10` gives the share of the collapse that was averted, 0.4. Its interval treats `change`
 * as exact; if you estimated it from the same runs, use `stratifiedBootstrap` with a statistic that divides.
 *
 * Trap: Hedges' g is relative to the spread between runs, which longer or larger runs reduce. Report the difference in its own
 * unit first.
 *
 * Source: Welch, "The generalization of 'Student's' problem when several different population variances are involved",
 * Biometrika 34, 1947; Hedges, "Distribution theory for Glass's estimator of effect size and related estimators", Journal of
 * Educational Statistics 6, 1981; the interval of g inverts the noncentral t distribution, as in Steiger and Fouladi,
 * "Noncentrality interval estimation and the evaluation of statistical models", 1997.
 * @param a one value per run, at least two
 * @param b one value per run, at least two
 * @throws InvalidArgumentError if an arm has fewer than two values, or an option is unknown or out of range; NotFiniteError if a
 *   value is NaN or infinite.
 */
export function effectSize(a: ArrayLike<number>, b: ArrayLike<number>, options: EffectSizeOptions = {}): EffectSize {
  const { level = 0.95, change } = checkOptions(options, optionNames, 'effectSize');
  checkValues('a', a, 2);
  checkValues('b', b, 2);
  checkOpenUnit('level', level);
  if (change !== undefined) checkFinite([change], 'change');
  if (change === 0) throw new InvalidArgumentError('change must not be 0; leave it out if there was no change');

  const difference = meanDifference(a, b, level);
  const { interval, deviation } = difference;
  const standardized = deviation === 0 ? Number.NaN : difference.difference / deviation;
  const scale = Math.sqrt((a.length * b.length) / (a.length + b.length)); // t = scale * standardized
  const pooledDegrees = a.length + b.length - 2;
  return {
    ...difference,
    hedgesInterval: [
      noncentralityAt((1 + level) / 2, scale * standardized, pooledDegrees) / scale,
      noncentralityAt((1 - level) / 2, scale * standardized, pooledDegrees) / scale,
    ],
    ...(change !== undefined && {
      share: { value: difference.difference / change, interval: dividedInterval(interval, change) },
    }),
  };
}

/** {@link effectSize} without the interval of g, which takes nearly all of its time, and without checks. */
export function meanDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  level = 0.95,
): Omit<EffectSize, 'hedgesInterval' | 'share'> {
  const difference = meanOf(a) - meanOf(b);
  const varianceA = squaresOf(a) / (a.length - 1) / a.length; // of the mean
  const varianceB = squaresOf(b) / (b.length - 1) / b.length;
  const standardError = Math.sqrt(varianceA + varianceB);
  const degreesOfFreedom =
    (varianceA + varianceB) ** 2 / (varianceA ** 2 / (a.length - 1) + varianceB ** 2 / (b.length - 1));
  const reach = standardError === 0 ? 0 : tQuantile((1 + level) / 2, degreesOfFreedom) * standardError;
  const pooledDegrees = a.length + b.length - 2;
  const deviation = Math.sqrt((squaresOf(a) + squaresOf(b)) / pooledDegrees);
  const standardized = deviation === 0 ? Number.NaN : difference / deviation;
  return {
    difference,
    interval: [difference - reach, difference + reach],
    standardError,
    degreesOfFreedom,
    deviation,
    hedgesG: standardized * biasCorrection(pooledDegrees),
  };
}

function dividedInterval([lower, upper]: Interval, divisor: number): Interval {
  return divisor > 0 ? [lower / divisor, upper / divisor] : [upper / divisor, lower / divisor];
}

/** The factor that makes the standardized difference of normal values unbiased. */
function biasCorrection(degreesOfFreedom: number): number {
  const half = degreesOfFreedom / 2;
  return Math.exp(logGamma(half) - logGamma(half - 0.5)) / Math.sqrt(half);
}

/** The noncentrality for which t is below the observed one with `probability`. */
function noncentralityAt(probability: number, t: number, degreesOfFreedom: number): number {
  if (Number.isNaN(t)) return Number.NaN;
  // P(T ≤ t) falls in the noncentrality.
  let lower = t - 1;
  while (noncentralTCdf(t, degreesOfFreedom, lower) < probability) lower -= 2 * (t - lower);
  let upper = t + 1;
  while (noncentralTCdf(t, degreesOfFreedom, upper) > probability) upper += 2 * (upper - t);
  for (let step = 0; step < 40; step++) {
    const middle = (lower + upper) / 2;
    if (noncentralTCdf(t, degreesOfFreedom, middle) > probability) lower = middle;
    else upper = middle;
  }
  return (lower + upper) / 2;
}
