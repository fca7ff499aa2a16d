import { checkInteger, InvalidWeightsError } from '@rarefy/core';
import { checkEnough, checkedWeight } from './checks.js';

/** exp(-32) is 1e-14, which is negligible beside 1. */
const negligible = 32;

/**
 * Probability of each position to be among `count` draws without replacement (successive sampling); they sum to `count`. It
 * differs from `count` times the probability of the first draw, and by much once a tenth of the positions is drawn.
 *
 * Position i waits an exponential time of rate weight[i], and is drawn if that ends before T, the time when the count-th of the
 * others arrives. So the probability is E[1 - exp(-weight[i] T)], an integral over the density of T, computed by the trapezoidal
 * rule in log T. The error is about 1e-9. The time is linear in the number of positions and does not depend on the count.
 * @param weights finite and ≥ 0
 * @throws InvalidWeightsError naming the first invalid weight, or if fewer than `count` are above 0; InvalidArgumentError if
 * `count` is not an integer ≥ 0.
 */
export function inclusionProbabilities(weights: ArrayLike<number>, count: number): Float64Array {
  checkInteger('count', count, 0);
  const possible: number[] = [];
  let largest = 0;
  for (let position = 0; position < weights.length; position++) {
    const weight = weights[position]!;
    if (!(weight >= 0 && weight < Infinity)) {
      throw new InvalidWeightsError(`weight ${weight} at position ${position}: weights must be finite and ≥ 0`);
    }
    if (weight > 0) possible.push(position);
    largest = Math.max(largest, weight);
  }
  checkEnough(count, possible.length, weights.length);
  const probabilities = new Float64Array(weights.length);
  if (count === 0) return probabilities;
  if (count === possible.length) {
    for (const position of possible) probabilities[position] = 1;
    return probabilities;
  }
  const rates = Float64Array.from(possible, (position) => weights[position]! / largest);
  const spacing = integrationStep(rates, count);
  let sum: Float64Array;
  for (let round = 0; ; round++, spacing.step /= 2) {
    sum = integrate(rates, count, spacing);
    const error = Math.abs(sum.reduce((total, probability) => total + probability, 0) / count - 1);
    if (error < 1e-10 || round === 4) break; // the sum is `count` if the steps are small enough
  }
  possible.forEach((position, index) => {
    probabilities[position] = Math.min(1, sum[index]!);
  });
  return probabilities;
}

/** The logarithm of the time by which `count` arrivals are expected, and a step well below the spread of T around it. */
function integrationStep(rates: Float64Array, count: number): { center: number; step: number } {
  let [low, high] = [-800, 800];
  const wanted = Math.min(count, rates.length - 0.5);
  const arrivalsAt = (logTime: number) => {
    const time = Math.exp(logTime);
    let [arrived, variance, speed] = [0, 0, 0];
    for (const rate of rates) {
      const left = Math.exp(-rate * time);
      arrived += -Math.expm1(-rate * time);
      variance += left * (1 - left);
      if (left > 0) speed += rate * time * left;
    }
    return { arrived, variance, speed };
  };
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (arrivalsAt(middle).arrived < wanted) low = middle;
    else high = middle;
  }
  const { variance, speed } = arrivalsAt(low);
  return { center: low, step: Math.min(0.35, (0.5 * Math.sqrt(variance)) / speed) };
}

/** Integrates from the center of the density outward, until both tails are negligible. */
function integrate(
  rates: Float64Array,
  count: number,
  { center, step }: { center: number; step: number },
): Float64Array {
  const probabilities = new Float64Array(rates.length);
  const part = new Float64Array(rates.length);
  for (const direction of [1, -1]) {
    for (let index = direction === 1 ? 0 : 1; index < 20_000; index++) {
      const time = Math.exp(center + direction * index * step);
      const most = integrandAt(rates, count, time, part);
      for (let item = 0; item < part.length; item++) probabilities[item] = probabilities[item]! + step * part[item]!;
      if (most < 1e-15) break;
    }
  }
  return probabilities;
}

/**
 * Writes the integrand of every item at one time t into `part`: t (1 - exp(-rate t)) times the density of T at t. Returns the
 * largest.
 *
 * With a_j(z) = exp(-rate_j t) + (1 - exp(-rate_j t)) z, the coefficient of z^(count - 1) in the product of all a_j except those
 * of i and l is the probability that count - 1 of the others have arrived; the density sums rate_l exp(-rate_l t) times that over
 * l. The coefficient is a sum over the roots of unity of odd order, at which no a_j is zero. The order is large enough that no
 * other coefficient within reach is added to it, and only roots where the product is not negligible are used, about 20.
 */
function integrandAt(rates: Float64Array, count: number, time: number, part: Float64Array): number {
  const size = rates.length;
  const come = new Float64Array(size);
  let mean = 0;
  let variance = 0;
  for (let item = 0; item < size; item++) {
    come[item] = -Math.expm1(-rates[item]! * time);
    mean += come[item]!;
    variance += come[item]! * (1 - come[item]!);
  }
  // Bernstein's inequality: the number of arrivals is farther from its mean only with negligible probability.
  const reach = negligible / 3 + Math.sqrt((negligible / 3) ** 2 + 2 * negligible * variance);
  part.fill(0);
  if (Math.abs(mean - count) > reach) return 0;
  const order = 2 * Math.ceil(Math.min(size, 2 * reach + 1) / 2) + 1;
  const inverseReal = new Float64Array(size);
  const inverseImaginary = new Float64Array(size);
  for (let root = 0; root <= (order - 1) / 2; root++) {
    const angle = (2 * Math.PI * root) / order;
    const cosine = Math.cos(angle);
    const sine = Math.sin(angle);
    if (variance * (1 - cosine) > negligible) break; // |product| ≤ exp(-variance (1 - cosine))
    let [productReal, productImaginary] = [Math.cos(angle * (count - 1)), -Math.sin(angle * (count - 1))];
    let [sumReal, sumImaginary] = [0, 0];
    for (let item = 0; item < size; item++) {
      const p = come[item]!;
      const real = 1 - p + p * cosine;
      const imaginary = p * sine;
      const norm = 1 / (real * real + imaginary * imaginary);
      const density = rates[item]! * (1 - p);
      inverseReal[item] = real * norm;
      inverseImaginary[item] = -imaginary * norm;
      sumReal += density * real * norm;
      sumImaginary -= density * imaginary * norm;
      [productReal, productImaginary] = [
        productReal * real - productImaginary * imaginary,
        productReal * imaginary + productImaginary * real,
      ];
    }
    const scale = (root === 0 ? 1 : 2) / order; // a root and its conjugate
    for (let item = 0; item < size; item++) {
      const density = rates[item]! * (1 - come[item]!);
      const [real, imaginary] = [inverseReal[item]!, inverseImaginary[item]!];
      const withoutReal = productReal * real - productImaginary * imaginary;
      const withoutImaginary = productReal * imaginary + productImaginary * real;
      const otherReal = sumReal - density * real;
      const otherImaginary = sumImaginary - density * imaginary;
      part[item] = part[item]! + scale * (withoutReal * otherReal - withoutImaginary * otherImaginary);
    }
  }
  let most = 0;
  for (let item = 0; item < size; item++) {
    part[item] = part[item]! * time * come[item]!;
    most = Math.max(most, Math.abs(part[item]!));
  }
  return most;
}

/**
 * An estimate of {@link inclusionProbabilities} in O(n), for millions of positions: 1 - exp(-weight t), with the t for which the
 * values sum to `count`. It treats the time of the last arrival as fixed, which is nearly true if many positions are drawn.
 * @param weights finite and ≥ 0
 * @throws InvalidWeightsError naming the first invalid weight, or if fewer than `count` are above 0; InvalidArgumentError if
 * `count` is not an integer ≥ 0.
 */
export function estimatedInclusion(weights: ArrayLike<number>, count: number): Float64Array {
  checkInteger('count', count, 0);
  const rates = Float64Array.from(weights, checkedWeight);
  const largest = rates.reduce((most, rate) => Math.max(most, rate), 0);
  const possible = rates.reduce((sum, rate) => sum + (rate > 0 ? 1 : 0), 0);
  checkEnough(count, possible, rates.length);
  if (count === possible) return rates.map((rate) => (rate > 0 ? 1 : 0));
  const estimates = (time: number) => rates.map((rate) => -Math.expm1((-rate / largest) * time));
  const expected = (time: number) => estimates(time).reduce((sum, probability) => sum + probability, 0);
  let [low, high] = [0, 1];
  while (expected(high) < count && high < Number.MAX_VALUE / 2) [low, high] = [high, 2 * high];
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2;
    if (expected(middle) < count) low = middle;
    else high = middle;
  }
  return estimates(high);
}
