import { checkInteger, checkOptions, counterRandom, described, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { normalCdf, normalQuantile } from './distributions.js';
import type { Interval } from './effect-size.js';
import { checkOneOf, checkOpenUnit, checkValues, meanOf, squaresOf, sumOf } from './numbers.js';

export interface BootstrapOptions {
  /** Stratum of each prompt. Default: all prompts are in one stratum. */
  readonly strata?: readonly (string | number)[];
  /** What is resampled: runs within each arm, prompts within each stratum, or both. Default `runs-and-prompts`. */
  readonly resample?: 'runs-and-prompts' | 'runs' | 'prompts';
  /**
   * The number whose interval is asked for, from the mean of each arm over its runs and prompts. Default: the mean of one arm, or
   * the first mean minus the second.
   */
  readonly statistic?: (means: readonly number[]) => number;
  /** Confidence level, between 0 and 1; default 0.95. */
  readonly level?: number;
  /** Number of resamples, an integer ≥ 2; default 10,000. */
  readonly resamples?: number;
  /** Any safe integer; default 0. */
  readonly seed?: number;
}

export interface Bootstrap {
  /** The statistic of the values as they are. */
  readonly estimate: number;
  /** Standard deviation of the statistic over the resamples. */
  readonly standardError: number;
  /** Between two quantiles of the statistic over the resamples. */
  readonly percentile: Interval;
  /** Bias-corrected and accelerated. [NaN, NaN] if the statistic never varies. */
  readonly bca: Interval;
}

const optionNames = [
  'strata',
  'resample',
  'statistic',
  'level',
  'resamples',
  'seed',
] satisfies (keyof BootstrapOptions)[];

/**
 * Bootstrap intervals for arms of several runs that all answered the same prompts. Each resample draws runs with replacement within
 * every arm, and prompts with replacement within every stratum. The drawn prompts are the same for all runs, so what is hard about
 * a prompt cancels in a difference between arms; each stratum keeps its size.
 *
 * Percentile and BCa intervals equal `scipy.stats.bootstrap` where one level is resampled; quantiles interpolate linearly. The
 * acceleration of BCa comes from leaving out one run, or one prompt, at a time; each arm and each stratum is a sample of its own,
 * as SciPy does for several samples. Resampling both levels at once goes beyond SciPy. Deterministic.
 *
 * Trap: resampling prompts alone treats two runs as if they were the arms themselves, and finds effects that are differences
 * between seeds. With fewer than about 8 runs per arm, bootstrap intervals are too narrow: take the p value and the interval of
 * `effectSize`.
 *
 * Source: Efron, "Better bootstrap confidence intervals", Journal of the American Statistical Association 82, 1987; Davison and
 * Hinkley, "Bootstrap methods and their application", 1997, for strata.
 * @param arms `arms[arm][run][prompt]`; a measure with one value per run has one prompt
 * @returns NaN in place of intervals if the statistic of a resample is NaN
 * @throws InvalidArgumentError if an arm has no run or a run no prompt, if there are more than two arms and no `statistic`, or if
 *   an option is unknown or out of range; ShapeError if runs or `strata` differ in their number of prompts; NotFiniteError if a
 *   value is NaN or infinite.
 */
export function stratifiedBootstrap(
  arms: readonly (readonly ArrayLike<number>[])[],
  options: BootstrapOptions = {},
): Bootstrap {
  const given = checkOptions(options, optionNames, 'stratifiedBootstrap');
  const { resample = 'runs-and-prompts', level = 0.95, resamples = 10_000, seed = 0 } = given;
  const prompts = checkArms(arms);
  const { strata = new Array<number>(prompts).fill(0) } = given;
  if (strata.length !== prompts) {
    throw new ShapeError(`strata has ${strata.length} entries for ${prompts} prompts; give one per prompt`);
  }
  const statistic = given.statistic ?? defaultStatistic(arms.length);
  checkOneOf('resample', resample, ['runs-and-prompts', 'runs', 'prompts']);
  if (typeof statistic !== 'function')
    throw new InvalidArgumentError(`statistic must be a function, got ${described(statistic)}`);
  checkOpenUnit('level', level);
  checkInteger('resamples', resamples, 2);

  const runsOf = arms.map((runs) => [runs.map((_, run) => run)]); // each arm is one group of runs
  const promptsOf = [...new Set(strata)].map((stratum) =>
    strata.flatMap((entry, prompt) => (entry === stratum ? [prompt] : [])),
  );
  const even: Weights = {
    runs: arms.map((runs) => new Float64Array(runs.length).fill(1)),
    prompts: new Float64Array(prompts).fill(1),
  };
  const statisticOf = (weights: Weights) =>
    statistic(arms.map((runs, arm) => weightedMean(runs, weights.runs[arm]!, weights.prompts)));
  const estimate = statisticOf(even);

  const random = counterRandom(seed);
  const streams = [...arms, prompts].map((_, index) => random.fork(index)); // one per arm, then that of the prompts
  const resampled = Float64Array.from({ length: resamples }, (_, index) => {
    const draw = (groups: readonly number[][], stream: number) => drawn(groups, streams[stream]!.fork(index).uniform);
    return statisticOf({
      runs: resample === 'prompts' ? even.runs : runsOf.map((groups, arm) => draw(groups, arm)),
      prompts: resample === 'runs' ? even.prompts : draw(promptsOf, arms.length),
    });
  });

  const leftOutRuns = runsOf.map((groups, arm) =>
    withOneLeftOut(groups[0]!, even.runs[arm]!).map((weights) =>
      statisticOf({ ...even, runs: even.runs.with(arm, weights) }),
    ),
  );
  const leftOutPrompts = promptsOf.map((group) =>
    withOneLeftOut(group, even.prompts).map((weights) => statisticOf({ ...even, prompts: weights })),
  );
  const jackknife = [...(resample === 'prompts' ? [] : leftOutRuns), ...(resample === 'runs' ? [] : leftOutPrompts)];
  return { estimate, ...bootstrapIntervals(resampled, estimate, jackknife, level) };
}

/** How often each run of each arm, and each prompt, counts. */
interface Weights {
  readonly runs: Float64Array[];
  readonly prompts: Float64Array;
}

/** @returns number of prompts */
function checkArms(arms: readonly (readonly ArrayLike<number>[])[]): number {
  if (!Array.isArray(arms) || arms.length === 0) {
    throw new InvalidArgumentError(`arms must be a non-empty array of arms, got ${described(arms)}`);
  }
  arms.forEach((runs, arm) => {
    if (!Array.isArray(runs) || runs.length === 0) {
      throw new InvalidArgumentError(`arm ${arm} must be a non-empty array of runs, got ${described(runs)}`);
    }
    runs.forEach((values: ArrayLike<number>, run: number) => {
      checkValues(`run ${run} of arm ${arm}`, values, 1);
      if (values.length === arms[0]![0]!.length) return;
      throw new ShapeError(
        `run ${run} of arm ${arm} has ${values.length} prompts and the first run ${arms[0]![0]!.length}; all runs must answer the same prompts`,
      );
    });
  });
  return arms[0]![0]!.length;
}

function defaultStatistic(arms: number): (means: readonly number[]) => number {
  if (arms === 1) return ([mean]) => mean!;
  if (arms === 2) return ([first, second]) => first! - second!;
  throw new InvalidArgumentError(`statistic must say what to compute from the means of ${arms} arms`);
}

function weightedMean(runs: readonly ArrayLike<number>[], runWeights: Float64Array, prompts: Float64Array): number {
  let sum = 0;
  for (let run = 0; run < runs.length; run++) {
    const weight = runWeights[run]!;
    if (weight === 0) continue;
    const values = runs[run]!;
    let inside = 0;
    for (let prompt = 0; prompt < prompts.length; prompt++) inside += prompts[prompt]! * values[prompt]!;
    sum += weight * inside;
  }
  return sum / runs.length / prompts.length;
}

/** How often each position is drawn if every group is drawn with replacement as often as it has members. */
function drawn(groups: readonly number[][], uniform: (index: number) => number): Float64Array {
  const counts = new Float64Array(groups.reduce((sum, group) => sum + group.length, 0));
  let next = 0;
  for (const group of groups) {
    for (let draw = 0; draw < group.length; draw++) counts[group[Math.floor(uniform(next++) * group.length)]!]!++;
  }
  return counts;
}

/** For each member of the group, weights without it; the others stand in for it. A group of one cannot spare it. */
function withOneLeftOut(group: readonly number[], even: Float64Array): Float64Array[] {
  if (group.length === 1) return [even];
  return group.map((left) => {
    const weights = even.slice();
    for (const member of group) weights[member] = member === left ? 0 : group.length / (group.length - 1);
    return weights;
  });
}

/**
 * Intervals from the statistic of all resamples.
 * @param jackknife per independent sample, the statistic without each of its members
 */
export function bootstrapIntervals(
  resampled: Float64Array,
  estimate: number,
  jackknife: readonly (readonly number[])[],
  level: number,
): Omit<Bootstrap, 'estimate'> {
  const sorted = resampled.slice().sort();
  const tail = (1 - level) / 2;
  const spread = squaresOf(resampled) / (resampled.length - 1);

  const below = resampled.filter((value) => value < estimate).length;
  const atMost = resampled.filter((value) => value <= estimate).length;
  const bias = normalQuantile((below + atMost) / 2 / resampled.length);
  let cubes = 0;
  let squares = 0;
  for (const values of jackknife) {
    const mean = meanOf(values);
    const influences = values.map((value) => (values.length - 1) * (mean - value));
    cubes += sumOf(influences.map((influence) => influence ** 3)) / values.length ** 3;
    squares += sumOf(influences.map((influence) => influence ** 2)) / values.length ** 2;
  }
  const acceleration = cubes / squares ** 1.5 / 6;
  const corrected = (probability: number) => {
    const shifted = bias + normalQuantile(probability);
    return normalCdf(bias + shifted / (1 - acceleration * shifted));
  };
  return {
    standardError: Math.sqrt(spread),
    percentile: [quantileOf(sorted, tail), quantileOf(sorted, 1 - tail)],
    bca: [quantileOf(sorted, corrected(tail)), quantileOf(sorted, corrected(1 - tail))],
  };
}

/** Interpolates linearly between sorted values. NaN for a probability or a value that is NaN. */
function quantileOf(sorted: Float64Array, probability: number): number {
  if (Number.isNaN(probability) || Number.isNaN(sorted.at(-1)!)) return Number.NaN;
  const position = probability * (sorted.length - 1);
  const lower = Math.floor(position);
  const share = position - lower;
  return share === 0 ? sorted[lower]! : sorted[lower]! + share * (sorted[lower + 1]! - sorted[lower]!);
}
