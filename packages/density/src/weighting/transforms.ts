import { checkWeighting, InvalidArgumentError, type Weighting, type WeightTransform } from '@rarefy/core';
import { checkWeights, effectiveSampleSize, maximum } from './weights.js';

/**
 * A weighting, then transforms of its weights in the given order: `compose(inverseDensity(), targetEss(0.5), mixUniform(0.1))`.
 * @throws InvalidArgumentError if the first argument is a weight transform, or another one is not.
 */
export function compose(weighting: Weighting, ...transforms: readonly WeightTransform[]): Weighting {
  checkWeighting(weighting);
  for (const [index, transform] of transforms.entries()) {
    if (typeof transform === 'function' && transform.kind === 'weight-transform') continue;
    throw new InvalidArgumentError(
      `argument ${index + 2} of compose must be a weight transform, such as targetEss(0.5); wrap a function of your own in weightTransform()`,
    );
  }
  return (density) => transforms.reduce((weights, transform) => transform(weights), weighting(density));
}

/**
 * Makes a weight transform for {@link compose}: `weightTransform((weights) => weights.map(Math.sqrt))`.
 * @param transform pure: weights in, as many weights out; finite and ≥ 0
 * @throws InvalidArgumentError if `transform` is not a function.
 */
export function weightTransform(transform: (weights: Float64Array) => Float64Array): WeightTransform {
  if (typeof transform !== 'function') {
    throw new InvalidArgumentError(`weightTransform takes a function from weights to weights, got ${typeof transform}`);
  }
  return Object.assign((weights: Float64Array) => transform(weights), { kind: 'weight-transform' } as const);
}

/**
 * Raises weights to the power ≥ 0 at which their effective sample size is `share` of the rows, and scales them so that the
 * largest is 1. As the power grows, ESS / rows falls from the share of weights above 0 (power 0) toward the share of weights that
 * tie for the largest, which it does not reach; bisection finds the power.
 *
 * The transform throws InvalidArgumentError with the range if `share` is outside it. Equal weights reach only 1.
 * @param share ESS / rows, in (0, 1]
 * @throws InvalidArgumentError if `share` is outside (0, 1].
 */
export function targetEss(share: number): WeightTransform {
  checkNumber('targetEss', 'share', share, share > 0 && share <= 1, 'in (0, 1]');
  return weightTransform((weights) => {
    checkWeights(weights);
    const largest = maximum(weights);
    // Logarithms of weight / largest. Near 1 the quotient keeps the last digit, far from it the difference does not underflow.
    const logarithms = weights.map((weight) =>
      weight > largest / 2 ? Math.log(weight / largest) : Math.log(weight) - Math.log(largest),
    );
    const raised = (power: number) =>
      logarithms.map((logarithm, row) => (weights[row] === 0 ? 0 : Math.exp(power * logarithm)));
    const reached = (power: number) => effectiveSampleSize(raised(power)) / weights.length;

    const highest = weights.filter((weight) => weight > 0).length / weights.length;
    const lowest = weights.filter((weight) => weight === largest).length / weights.length;
    if (share === highest) return raised(0);
    if (!(lowest < share && share < highest)) {
      throw new InvalidArgumentError(
        `ESS/N = ${share} is out of reach: powers of these ${weights.length} weights give at most ${highest} and more than ${lowest}`,
      );
    }
    let low = 0;
    let high = 1;
    while (reached(high) > share) {
      low = high;
      high *= 2;
    }
    for (;;) {
      const power = (low + high) / 2;
      const current = reached(power);
      if (Math.abs(current - share) <= 1e-12 * share || power === low || power === high) return raised(power);
      if (current > share) low = power;
      else high = power;
    }
  });
}

/**
 * Mixes in uniform draws: with probability `lambda` a draw is uniform over all rows, otherwise it follows the weights. Weight =
 * (1 - lambda) * weight + lambda * mean weight. The sum stays, no probability is below lambda / rows, and a zero weight does not
 * stay zero.
 * @param lambda in [0, 1]
 * @throws InvalidArgumentError if `lambda` is outside [0, 1].
 */
export function mixUniform(lambda: number): WeightTransform {
  checkNumber('mixUniform', 'lambda', lambda, lambda >= 0 && lambda <= 1, 'in [0, 1]');
  return weightTransform((weights) => {
    checkWeights(weights);
    const mean = weights.reduce((sum, weight) => sum + weight / weights.length, 0);
    return weights.map((weight) => (1 - lambda) * weight + lambda * mean);
  });
}

/**
 * Limits weights to `ratio` times the median of the weights above 0 (for an even number, the mean of the middle two), which
 * bounds how often one outlier is drawn.
 * @param ratio ≥ 1
 * @throws InvalidArgumentError if `ratio` is below 1.
 */
export function cap(ratio: number): WeightTransform {
  checkNumber('cap', 'ratio', ratio, ratio >= 1, '≥ 1');
  return weightTransform((weights) => {
    checkWeights(weights);
    const sorted = weights.filter((weight) => weight > 0).sort();
    const middle = (sorted.length - 1) / 2;
    const median = sorted[Math.floor(middle)]! / 2 + sorted[Math.ceil(middle)]! / 2;
    return weights.map((weight) => Math.min(weight, ratio * median));
  });
}

/** @throws InvalidArgumentError if `value` is not a number in the range. */
function checkNumber(transform: string, name: string, value: number, isValid: boolean, range: string): void {
  if (typeof value !== 'number') {
    throw new InvalidArgumentError(
      `${transform} takes a number, ${name}, and returns a weight transform; got ${Array.isArray(value) || ArrayBuffer.isView(value) ? 'an array' : typeof value}. Use it as in compose(inverseDensity(), targetEss(0.5))`,
    );
  }
  if (!isValid) throw new InvalidArgumentError(`${name} must be ${range}, got ${value}`);
}
