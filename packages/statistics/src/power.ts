import { checkInteger, checkNumber, checkOptions, checkSeed, counterRandom, InvalidArgumentError } from '@rarefy/core';
import { noncentralTCdf, normalQuantile, tQuantile } from './distributions.js';
import { checkOneOf, checkOpenUnit, sumOf } from './numbers.js';
import { type Alternative, alternatives } from './permutation.js';
import { binomial, selectLargest, sumsOfSubsets } from './subsets.js';

export interface PowerOptions {
  /** Standard deviation of a run within its arm, > 0: `deviation` of `effectSize` in a pilot. */
  readonly deviation: number;
  /** Level of the test, between 0 and 1; default 0.05. After Holm, the strictest test of a family of m has alpha / m. */
  readonly alpha?: number;
  /** Probability that the test finds the effect, between 0 and 1; default 0.8. */
  readonly power?: number;
  /** Default `two-sided`. */
  readonly alternative?: Alternative;
  /** Default `permutation`, the test of `permutationTest`. `t` is the t test with equal variances. */
  readonly test?: 'permutation' | 't';
  /** Of the simulation for the permutation test. Any safe integer; default 0. */
  readonly seed?: number;
}

export interface DetectableOptions extends PowerOptions {
  /** Runs of the two arms. Integers ≥ 1 for the permutation test; the t test needs three runs in all. */
  readonly sizes: readonly [a: number, b: number];
}

export interface RunsOptions extends PowerOptions {
  /** The difference to find, > 0. */
  readonly effect: number;
}

const powerNames = ['deviation', 'alpha', 'power', 'alternative', 'test', 'seed'] satisfies (keyof PowerOptions)[];

/** From so many splits on in the rejection region, the power is that of the t test at the same level to within 1 %. */
const fineRegion = 50;
const mostSimulated = 20_000; // splits
const simulations = 2_000;
/** `runsNeeded` answers Infinity above. */
const mostRuns = 100_000;

/**
 * The smallest true difference between two arms that the test finds with the given power, in the unit of `deviation`, if runs are
 * normally distributed with that standard deviation in both arms. An effect that was not found may still be as large as this.
 * Infinity if no data can reach the level: 3 and 3 runs give no two-sided permutation p below 0.1.
 *
 * For the t test, the power follows from the noncentral t distribution. The permutation test rejects for
 * floor(alpha · splits) splits at most. If that is at least 50, or there are more than 20,000 splits (9 runs per arm), its power is
 * that of the t test at the level which these splits make up. Otherwise the power is simulated: 2,000 pairs of arms from seeded
 * random numbers, each with the exact difference from which the test rejects it, which gives the result a standard error of about
 * 1 %. Deterministic.
 *
 * Trap: a standard deviation from a few runs is itself uncertain: from 8 and 8 runs, by about 18 %.
 *
 * Source: Cohen, "Statistical power analysis for the behavioral sciences", 1988, for the t test.
 * @throws InvalidArgumentError if an option is missing, unknown or out of range.
 */
export function minimumDetectableEffect(options: DetectableOptions): number {
  const given = checkOptions(options, ['sizes', ...powerNames], 'minimumDetectableEffect');
  const settings = checkedPower(given);
  const { sizes } = given;
  if (!Array.isArray(sizes) || sizes.length !== 2) {
    throw new InvalidArgumentError(`sizes must be the runs of two arms, such as [8, 8], got ${JSON.stringify(sizes)}`);
  }
  for (const size of sizes) checkInteger('a size', size, 1);
  if (settings.test === 't' && sizes[0] + sizes[1] < 3) {
    throw new InvalidArgumentError('the t test needs at least three runs in all, got 1 and 1');
  }
  return detectable(sizes[0], sizes[1], settings);
}

/**
 * The smallest number of runs per arm, both arms equal, for which {@link minimumDetectableEffect} is at most `effect`. Infinity if
 * 100,000 are not enough. Deterministic.
 * @throws InvalidArgumentError if an option is missing, unknown or out of range.
 */
export function runsNeeded(options: RunsOptions): number {
  const given = checkOptions(options, ['effect', ...powerNames], 'runsNeeded');
  const settings = checkedPower(given);
  checkPositive('effect', given.effect);
  const isEnough = (runs: number) => detectable(runs, runs, settings) <= given.effect;
  let enough = 2;
  while (!isEnough(enough)) {
    if (enough >= mostRuns) return Number.POSITIVE_INFINITY;
    enough = Math.min(2 * enough, mostRuns);
  }
  let tooFew = enough === 2 ? 1 : Math.floor(enough / 2);
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (isEnough(middle)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}

type Settings = ReturnType<typeof checkedPower>;

function checkedPower(options: PowerOptions) {
  const { deviation, alpha = 0.05, power = 0.8, alternative = 'two-sided', test = 'permutation', seed = 0 } = options;
  checkPositive('deviation', deviation);
  checkOpenUnit('alpha', alpha);
  checkOpenUnit('power', power);
  checkOneOf('alternative', alternative, alternatives);
  checkOneOf('test', test, ['permutation', 't']);
  checkSeed(seed);
  if (power <= alpha) throw new InvalidArgumentError(`power must be above alpha, got ${power} and ${alpha}`);
  return { deviation, alpha, power, sides: alternative === 'two-sided' ? 2 : 1, test, seed } as const;
}

function checkPositive(name: string, value: number): void {
  checkNumber(name, value, 0);
  if (value === 0) throw new InvalidArgumentError(`${name} must be above 0, got 0`);
}

function detectable(a: number, b: number, settings: Settings): number {
  const { deviation, alpha, sides, test } = settings;
  if (test === 't') return deviation * detectableByT(a, b, alpha, settings);
  const splits = binomial(a + b, a);
  // Each split of equal arms and its mirror image have the same absolute difference.
  const step = sides === 2 && a === b ? 2 : 1;
  const rejected = step * Math.floor((alpha * splits * (1 + 1e-12)) / step);
  if (rejected === 0) return Number.POSITIVE_INFINITY;
  const isFine = rejected >= fineRegion || splits > mostSimulated;
  if (!isFine) return deviation * simulated(a, b, rejected, settings);
  const level = Number.isSafeInteger(splits) ? rejected / splits : alpha;
  return deviation * detectableByT(a, b, level, settings);
}

/** In standard deviations. */
function detectableByT(a: number, b: number, alpha: number, { power, sides }: Settings): number {
  const degrees = a + b - 2;
  const critical = tQuantile(1 - alpha / sides, degrees);
  const powerAt = (noncentrality: number) =>
    1 -
    noncentralTCdf(critical, degrees, noncentrality) +
    (sides === 2 ? noncentralTCdf(-critical, degrees, noncentrality) : 0);
  let lower = 0;
  let upper = 1;
  while (powerAt(upper) < power) upper *= 2;
  for (let step = 0; step < 40; step++) {
    const middle = (lower + upper) / 2;
    if (powerAt(middle) < power) lower = middle;
    else upper = middle;
  }
  return upper / Math.sqrt((a * b) / (a + b));
}

/**
 * The quantile `power`, over simulated pairs of arms, of the effect from which the permutation test rejects; in standard
 * deviations. If an effect is added to arm a, the difference of a split that moves k runs between the arms grows by
 * effect * (1 - k (1/a + 1/b)), less than that of the observed split. So each split stops being as extreme as the observed one at
 * some effect, and the test rejects once fewer than `rejected` others are left.
 * @param rejected how many splits, the observed one included, may be as extreme if the test rejects
 */
function simulated(a: number, b: number, rejected: number, { power, sides, seed }: Settings): number {
  const moved = sumsOfSubsets(new Float64Array(a + b).fill(1, a), a); // how many of the chosen runs come from arm b
  if (rejected >= moved.length) return 0;
  const random = counterRandom(seed);
  const uniforms = new Float64Array(a + b);
  const scale = 1 / a + 1 / b;
  const limits = new Float64Array(moved.length);
  const effects = Float64Array.from({ length: simulations }, (_, simulation) => {
    random.fill(simulation * uniforms.length, uniforms);
    const values = uniforms.map((uniform) => normalQuantile(uniform + 2 ** -54));
    const sums = sumsOfSubsets(values, a);
    const all = sumOf(values);
    const observed = sums[0]! * scale - all / b; // difference of the means
    for (let split = 0; split < moved.length; split++) {
      const other = sums[split]! * scale - all / b;
      const share = moved[split]! * scale;
      const upper = share === 0 ? Number.POSITIVE_INFINITY : (other - observed) / share;
      const lower = 2 - share < 1e-9 ? Number.POSITIVE_INFINITY : -(other + observed) / (2 - share);
      limits[split] = sides === 2 ? Math.max(upper, lower) : upper;
    }
    return Math.max(0, selectLargest(limits, rejected));
  });
  effects.sort();
  return effects[Math.min(simulations - 1, Math.floor(power * simulations))]!;
}
