/// <reference path="./jstat.d.ts" />
import jstat from 'jstat';

const { studentt, normal, gammaln } = jstat.jStat;

/** The value that Student's t with `degreesOfFreedom` > 0 does not exceed with `probability`. Relative error below 1e-7. */
export function tQuantile(probability: number, degreesOfFreedom: number): number {
  return studentt.inv(probability, degreesOfFreedom);
}

export function normalCdf(value: number): number {
  return normal.cdf(value, 0, 1);
}

/** -Infinity for 0 and Infinity for 1. */
export function normalQuantile(probability: number): number {
  return normal.inv(probability, 0, 1);
}

/** Logarithm of the gamma function of a positive number. */
export function logGamma(value: number): number {
  return gammaln(value);
}

/**
 * Probability that (Z + noncentrality) / W is at most `value`, where Z is standard normal and W² is chi-squared / degreesOfFreedom.
 * Integrates P(Z ≤ value · w - noncentrality) over the density of W by Simpson's rule. The usual series, as in jstat, returns
 * wrong values for noncentralities above 20.
 */
export function noncentralTCdf(value: number, degreesOfFreedom: number, noncentrality: number): number {
  const half = degreesOfFreedom / 2;
  const reach = 10 / Math.sqrt(2 * degreesOfFreedom); // W has a standard deviation of at most 1 / √(2 degreesOfFreedom)
  const from = Math.max(0, 1 - reach);
  // P(Z ≤ ·) rises over 1 / |value| of w.
  const panels = Math.min(20_000, Math.max(150, Math.ceil(5 * Math.abs(value) * (1 + reach - from))));
  const step = (1 + reach - from) / (2 * panels);
  const logScale = Math.log(2) + half * Math.log(half) - gammaln(half);
  let sum = 0;
  for (let index = 0; index <= 2 * panels; index++) {
    const w = from + index * step;
    const power = degreesOfFreedom === 1 ? 0 : (degreesOfFreedom - 1) * Math.log(w); // log 0 is -Infinity, and its exponential 0
    const density = Math.exp(logScale + power - half * w * w);
    const weight = index === 0 || index === 2 * panels ? 1 : index % 2 === 1 ? 4 : 2;
    sum += weight * density * normalCdf(value * w - noncentrality);
  }
  return Math.min(1, Math.max(0, (sum * step) / 3));
}
