import type { Arm, Departure, MeasuredValues, MeasureInfo, Plan } from '@rarefy/experiment';
import type { Interval } from '@rarefy/statistics';

/** What can be said, in plain words. */
export interface Verdict {
  /**
   * `cannot-answer`: a condition of the test is not met. `effect`: the primary measure differs for a density-aware arm.
   * `no-effect-found`: no difference, and what could have been found is stated.
   */
  readonly kind: 'cannot-answer' | 'effect' | 'no-effect-found';
  /** One sentence. */
  readonly headline: string;
  /** What was found, one sentence each, with figures. */
  readonly findings: readonly string[];
  /** What cannot be concluded, one sentence each. */
  readonly limits: readonly string[];
}

/** A condition that makes the result readable. */
export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** One sentence with figures. */
  readonly text: string;
}

/** An arm against the baseline, in one measure and stratum. Values are one number per run. */
export interface Effect {
  readonly arm: string;
  readonly measure: string;
  readonly stratum: string;
  readonly family: 'primary' | 'secondary' | 'exploratory';
  readonly baselineMean: number;
  readonly armMean: number;
  /** Arm minus baseline, with Welch's interval. */
  readonly difference: number;
  readonly interval: Interval;
  /** Bootstrap over runs within arms and prompts within strata; only for the primary measure. */
  readonly bootstrapInterval?: Interval;
  readonly hedgesG: number | null;
  /** Exact unpaired permutation test. Null if it cannot be computed. */
  readonly p: number | null;
  /** After Holm's correction over the family; null for exploratory effects. */
  readonly pHolm: number | null;
  /** Smallest difference that the test finds with the planned power; null if none. */
  readonly detectable: number | null;
  /** The same at the level that Holm's first step has. */
  readonly detectableHolm: number | null;
  /** Correlation between runs of one seed, and the sign-flip test of their differences. */
  readonly pairing: { readonly correlation: number | null; readonly p: number | null };
  /** Difference divided by what uniform training lost, with its sign: 1 averts all of it. Null if nothing was lost. */
  readonly shareAverted: number | null;
}

/** How the baseline changed a measure from the start model to the end. */
export interface Collapse {
  readonly measure: string;
  readonly stratum: string;
  readonly start: number;
  readonly end: number;
  /** Of `end - start`, over runs. */
  readonly interval: Interval;
  /** Change in standard deviations of a run; null if these are 0. */
  readonly changeInDeviations: number | null;
}

/** Where the draws of an arm went, by one kind of rarity. */
export interface DrawsByRarity {
  readonly arm: string;
  /** Name of the rarity check, or `sampler` for the density that made the weights. */
  readonly rarity: string;
  /** Share of the draws per tenth of the prompts, the rarest tenth first; prompts of equal commonness share theirs evenly. */
  readonly deciles: readonly number[];
  /** Rank correlation of the arm's density with commonness; null for arms that use none. */
  readonly rankCorrelation: number | null;
}

/** Points of a curve: the mean over runs with its 95 % interval; with one run, the interval is that value. */
export interface Curve {
  readonly arm: string;
  readonly measure: string;
  readonly stratum: string;
  readonly points: readonly { readonly step: number; readonly mean: number; readonly interval: Interval }[];
}

/**
 * A measure by decile of the density of the held-out prompts, after training. Decile 1 has the rarest prompts; a decile without a
 * value is left out.
 */
export interface ByDecile {
  readonly arm: string;
  readonly measure: string;
  readonly deciles: readonly {
    readonly decile: number;
    readonly prompts: number;
    readonly mean: number;
    readonly interval: Interval;
  }[];
}

/** Which part of the variance of a run's value comes from runs, prompts and answers. Shares sum to 1. */
export interface VarianceSplit {
  readonly measure: string;
  readonly runs: number;
  readonly prompts: number;
  readonly answers: number;
  /** What to buy more of, in one sentence. */
  readonly advice: string;
}

/** Answers to one prompt side by side: the same number from the start model and each arm. */
export interface AnswersSideBySide {
  readonly id: string;
  readonly prompt: string;
  readonly stratum: string;
  readonly answers: readonly {
    /** An arm, or `start`. */
    readonly arm: string;
    readonly seed: number | null;
    readonly text: string;
    readonly reward: number;
    readonly good: boolean | null;
  }[];
}

/** `report.json`: everything that the page shows. Numbers that do not exist are null, since JSON has no NaN. */
export interface ExperimentReport {
  readonly version: 1;
  readonly created: string;
  readonly verdict: Verdict;
  readonly checks: readonly Check[];
  readonly plan: Plan;
  readonly departures: readonly Departure[];
  readonly baseline: string;
  readonly arms: readonly { readonly arm: Arm; readonly runs: number; readonly cpuSeconds: number }[];
  /** The most crowded first. */
  readonly strata: readonly { readonly name: string; readonly prompts: number }[];
  readonly measures: readonly MeasureInfo[];
  readonly start: MeasuredValues;
  /** After training. */
  readonly runs: readonly { readonly arm: string; readonly seed: number; readonly values: MeasuredValues }[];
  readonly effects: readonly Effect[];
  readonly collapse: readonly Collapse[];
  readonly curves: readonly Curve[];
  readonly draws: readonly DrawsByRarity[];
  /** Histogram of the density of the training prompts that drives the samplers, on a logarithmic scale if `logarithmic`. */
  readonly density: {
    readonly edges: readonly number[];
    readonly counts: readonly number[];
    readonly logarithmic: boolean;
  };
  readonly byDecile: readonly ByDecile[];
  readonly variance: readonly VarianceSplit[];
  readonly answers: readonly AnswersSideBySide[];
  /** Commands that repeat the experiment, in order. */
  readonly commands: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}
