import { checkInteger, checkNumber, checkOptions, checkSeed, counterRandom, ShapeError } from '@rarefy/core';
import { checkOneOf, checkValues, largestOf, meanOf, squaresOf } from './numbers.js';
import { binomial, sumsOfSubsets } from './subsets.js';

/** What counts as more extreme: a difference of any sign, a larger one, or a smaller one. */
export type Alternative = 'two-sided' | 'greater' | 'less';
export const alternatives = ['two-sided', 'greater', 'less'] as const satisfies readonly Alternative[];

export interface ResamplingTestOptions {
  /** Default `two-sided`: the absolute difference counts. `greater` tests whether a is greater than b. */
  readonly alternative?: Alternative;
  /** The test is exact if there are at most so many arrangements, an integer in [1, 2^24]; see the function for the default. */
  readonly mostExact?: number;
  /** Random arrangements if the test is not exact, an integer in [1, 2^24]; default 20,000. */
  readonly draws?: number;
  /**
   * Differences that are equal in exact arithmetic may differ by rounding. Two of them count as equal if they differ by at most
   * this share of the largest absolute difference of all arrangements. In [0, 1]; default 1e-9.
   */
  readonly tolerance?: number;
  /** Chooses the random arrangements. Any safe integer; default 0. */
  readonly seed?: number;
}

export interface ResamplingTest {
  /** Probability, if the arms do not differ, of a difference at least as extreme as the observed one. Never 0. */
  readonly p: number;
  /** Mean of a minus mean of b, or the mean difference. */
  readonly difference: number;
  /** Whether all arrangements were counted. Otherwise p has a standard error of about √(p (1 - p) / arrangements). */
  readonly exact: boolean;
  /** Arrangements counted, the observed one included. */
  readonly arrangements: number;
  /** The smallest p that any arrangement of these values can give. A level below it can never be reached with so few runs. */
  readonly smallestP: number;
}

const optionNames = [
  'alternative',
  'mostExact',
  'draws',
  'tolerance',
  'seed',
] satisfies (keyof ResamplingTestOptions)[];

/**
 * Permutation test of the difference between the means of two arms. The values are one number per run, because the run is the unit
 * that the arms were assigned to; prompts and answers within a run are not independent.
 *
 * If the arms do not differ, every split of the values into arms of these sizes is equally probable. The p value is the share of
 * splits whose difference is at least as extreme as the observed one, which itself counts. With all C(n + m, n) splits, the test
 * rejects at most a share alpha of A/A comparisons at level alpha, for any distribution of the values. If there are more than
 * `mostExact` splits (default 200,000: up to 10 runs per arm are exact), it draws splits at random and returns
 * (c + 1) / (draws + 1), which keeps that guarantee.
 *
 * Two-sided means the absolute difference; SciPy's `permutation_test` doubles the smaller tail instead, which is the same for
 * arms of equal size. Deterministic.
 *
 * Trap: n = m = 4 cannot give p < 2 / 70; look at `smallestP` before you choose the number of runs.
 *
 * Source: Pitman, "Significance tests which may be applied to samples from any populations", Supplement to the Journal of the
 * Royal Statistical Society 4, 1937; Ernst, "Permutation methods: a basis for exact inference", Statistical Science 19, 2004;
 * Phipson and Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular Biology 9,
 * 2010, for random splits.
 * @param a one value per run, at least one
 * @param b one value per run, at least one
 * @throws InvalidArgumentError if an arm has no value, or an option is unknown or out of range; NotFiniteError if a value is NaN or
 *   infinite.
 */
export function permutationTest(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: ResamplingTestOptions = {},
): ResamplingTest {
  const { mostExact = 200_000, draws, alternative, tolerance, seed } = checkedOptions(options, 'permutationTest');
  checkValues('a', a, 1);
  checkValues('b', b, 1);
  // After subtracting the mean of all, the difference of the means is proportional to the sum over a.
  const all = [...Array.from(a), ...Array.from(b)];
  const center = meanOf(all);
  const centered = all.map((value) => value - center);
  const splits = binomial(all.length, a.length);
  const exact = splits <= mostExact;
  const sums = exact ? sumsOfSubsets(centered, a.length) : randomSums(centered, a.length, draws, seed);
  return { ...counted(sums, exact, alternative, tolerance), difference: meanOf(a) - meanOf(b) };
}

/**
 * Sign-flip test of the mean of paired differences, one per pair of runs. If the arms do not differ within pairs, every difference
 * is as probable with the opposite sign. All 2^n choices of signs are counted if there are at most `mostExact` (default 2^17);
 * otherwise random ones, as in {@link permutationTest}. Differences of 0 stay in the test. Deterministic.
 *
 * Trap: pairs help only if the runs of a pair correlate: see {@link pairingCorrelation}. With n pairs, no two-sided p is
 * below 2 / 2^n.
 *
 * Source: Fisher, "The design of experiments", 1935, chapter 3; Ernst, Statistical Science 19, 2004.
 * @param differences at least one
 * @throws InvalidArgumentError if there is no difference, or an option is unknown or out of range; NotFiniteError if a difference
 *   is NaN or infinite.
 */
export function signFlipTest(differences: ArrayLike<number>, options: ResamplingTestOptions = {}): ResamplingTest {
  const { mostExact = 2 ** 17, draws, alternative, tolerance, seed } = checkedOptions(options, 'signFlipTest');
  checkValues('differences', differences, 1);
  const values = Array.from(differences);
  const arrangements = 2 ** values.length;
  const exact = arrangements <= mostExact;
  const sums = exact ? sumsOfSigns(values, arrangements) : randomSigns(values, draws, seed);
  return { ...counted(sums, exact, alternative, tolerance), difference: meanOf(values) };
}

/**
 * Pearson correlation of the runs of two arms, paired by position: by seed, for example. If the arms vary equally,
 * pairing multiplies the variance of the difference by 1 - correlation, so pairs that do not correlate buy nothing and cost degrees
 * of freedom. NaN if the runs of an arm are all equal.
 *
 * Trap: with few pairs it is uncertain. At 8 pairs, independent runs give correlations from -0.7 to 0.7 in 95 % of cases.
 * @param a one value per run, at least two
 * @param b as many
 * @throws InvalidArgumentError if there are fewer than two values; ShapeError if the lengths differ; NotFiniteError if a value is
 *   NaN or infinite.
 */
export function pairingCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  checkValues('a', a, 2);
  checkValues('b', b, 2);
  if (a.length !== b.length)
    throw new ShapeError(`a has ${a.length} values and b ${b.length}; give one of each per pair`);
  const meanA = meanOf(a);
  const meanB = meanOf(b);
  const products = Array.from(a).reduce((sum, value, run) => sum + (value - meanA) * (b[run]! - meanB), 0);
  const scale = Math.sqrt(squaresOf(a) * squaresOf(b));
  return scale === 0 ? Number.NaN : Math.max(-1, Math.min(1, products / scale));
}

function checkedOptions(options: ResamplingTestOptions, where: string) {
  const given = checkOptions(options, optionNames, where);
  const { alternative = 'two-sided', mostExact, draws = 20_000, tolerance = 1e-9, seed = 0 } = given;
  checkOneOf('alternative', alternative, alternatives);
  if (mostExact !== undefined) checkInteger('mostExact', mostExact, 1, 2 ** 24);
  checkInteger('draws', draws, 1, 2 ** 24);
  checkNumber('tolerance', tolerance, 0, 1);
  checkSeed(seed);
  return { alternative, mostExact, draws, tolerance, seed };
}

/** @param sums one per arrangement, the observed one first */
function counted(sums: Float64Array, exact: boolean, alternative: Alternative, tolerance: number) {
  const extremes =
    alternative === 'two-sided' ? sums.map(Math.abs) : alternative === 'less' ? sums.map((x) => -x) : sums;
  const slack = tolerance * largestOf(sums.map(Math.abs));
  const atLeast = (threshold: number) => {
    let count = 0;
    for (const value of extremes) if (value >= threshold - slack) count++;
    return count / sums.length;
  };
  const smallestP = exact ? atLeast(largestOf(extremes)) : 1 / sums.length;
  return { p: atLeast(extremes[0]!), exact, arrangements: sums.length, smallestP };
}

/** The sum of the first `count` values, then those of random choices. */
function randomSums(values: readonly number[], count: number, draws: number, seed: number): Float64Array {
  const random = counterRandom(seed);
  const uniforms = new Float64Array(count);
  const shuffled = Float64Array.from(values);
  const first = (size: number) => shuffled.subarray(0, size).reduce((sum, value) => sum + value, 0);
  const sums = new Float64Array(draws + 1);
  sums[0] = first(count);
  for (let draw = 1; draw <= draws; draw++) {
    random.fill((draw - 1) * count, uniforms);
    for (let index = 0; index < count; index++) {
      const other = index + Math.floor(uniforms[index]! * (values.length - index));
      const value = shuffled[index]!;
      shuffled[index] = shuffled[other]!;
      shuffled[other] = value;
    }
    sums[draw] = first(count);
  }
  return sums;
}

/** Sum of `values` under every choice of signs: all positive first. */
function sumsOfSigns(values: readonly number[], arrangements: number): Float64Array {
  return Float64Array.from({ length: arrangements }, (_, bits) =>
    values.reduce((sum, value, index) => sum + ((bits >>> index) & 1 ? -value : value), 0),
  );
}

/** The sum of `values`, then those under random signs. */
function randomSigns(values: readonly number[], draws: number, seed: number): Float64Array {
  const random = counterRandom(seed);
  const uniforms = new Float64Array(values.length);
  return Float64Array.from({ length: draws + 1 }, (_, draw) => {
    if (draw === 0) return values.reduce((sum, value) => sum + value, 0);
    random.fill((draw - 1) * values.length, uniforms);
    return values.reduce((sum, value, index) => sum + (uniforms[index]! < 0.5 ? -value : value), 0);
  });
}
