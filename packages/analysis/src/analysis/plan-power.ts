import { checkInteger, checkNumber, checkOptions, InvalidArgumentError } from '@rarefy/core';
import { checkOpenUnit, checkValues, meanOf, runsNeeded, squaresOf, sumOf } from '@rarefy/statistics';
import { detectableInDeviations } from './effects.js';
import type { ExperimentReport } from './report.js';
import { finiteOrNull, valuesOfArm } from './run-values.js';

/** `values[measure][arm]` has one number per run of a pilot. */
export type PilotValues = Readonly<Record<string, readonly (readonly number[])[]>>;

export interface PlanPowerOptions {
  /** Runs per arm to plan for; default 3, 4, 6, 8, 10, 12, 16 and 24. */
  readonly runs?: readonly number[];
  /** Differences to find, as shares of the mean of the baseline; default 0.05, 0.1, 0.2 and 0.4. */
  readonly shares?: readonly number[];
  /** Probabilities of finding a difference, between `alpha` and 1; default 0.8 and 0.9. */
  readonly powers?: readonly number[];
  /** Level of the strictest test: after Holm over m arms, alpha / m. Default: that of the pilot's plan, or 0.05. */
  readonly alpha?: number;
  /** Default: all measures of the pilot. */
  readonly measures?: readonly string[];
}

/** What a measure allows, by the spread between the runs of a pilot. */
export interface MeasurePower {
  readonly measure: string;
  /** Of the first arm. */
  readonly mean: number;
  /** Pooled standard deviation of a run within its arm. */
  readonly deviation: number;
  /** Standard error of `deviation` as a share of it, by its degrees of freedom: 0.18 for 8 and 8 runs. */
  readonly uncertainty: number;
  /** Smallest difference found with `power`, and its share of the mean. Null if there is none. */
  readonly detectable: readonly {
    readonly runs: number;
    readonly power: number;
    readonly difference: number | null;
    readonly share: number | null;
  }[];
  /** Runs per arm that find a difference of this share of the mean. Null if 100,000 do not. */
  readonly needed: readonly { readonly share: number; readonly power: number; readonly runs: number | null }[];
}

const optionNames = ['runs', 'shares', 'powers', 'alpha', 'measures'] satisfies (keyof PlanPowerOptions)[];

/**
 * How many runs per arm an experiment needs, from a pilot with the same start model, training and evaluation: per measure, over all
 * strata, what so many runs can find, and how many runs it takes to find a difference of some size. The test is the two-sided
 * permutation test of the analysis. Measures that do not vary between the runs of the pilot, or whose baseline has a mean of 0, are
 * left out. Deterministic.
 *
 * Trap: the deviation of a small pilot is uncertain; `uncertainty` says by how much. The differences scale with it, and the runs
 * needed with its square.
 * @param pilot a report, or the values of runs
 * @throws InvalidArgumentError if no arm has two runs, a measure is not in the pilot, or an option is unknown or out of range;
 *   NotFiniteError if a value is NaN or infinite.
 */
export function planPower(pilot: ExperimentReport | PilotValues, options: PlanPowerOptions = {}): MeasurePower[] {
  const given = checkOptions(options, optionNames, 'planPower');
  const { runs = [3, 4, 6, 8, 10, 12, 16, 24], shares = [0.05, 0.1, 0.2, 0.4], powers = [0.8, 0.9] } = given;
  const { alpha = isReport(pilot) ? pilot.plan.alpha / Math.max(1, pilot.plan.arms.length - 1) : 0.05 } = given;
  for (const count of runs) checkInteger('runs', count, 1, 1000);
  for (const power of powers) checkOpenUnit('power', power);
  for (const share of shares) {
    checkNumber('share', share, 0);
    if (share === 0) throw new InvalidArgumentError('share must be above 0, got 0');
  }
  const values = isReport(pilot) ? pilotValues(pilot) : pilot;
  const names = given.measures ?? Object.keys(values);
  return names.flatMap((measure) => {
    const arms = values[measure];
    if (arms === undefined) {
      const known = Object.keys(values).join(', ');
      throw new InvalidArgumentError(`the pilot has no measure "${measure}"; it has ${known}`);
    }
    for (const [arm, entries] of arms.entries()) checkValues(`arm ${arm} of ${measure}`, entries, 0);
    const several = arms.filter((entries) => entries.length >= 2);
    const degrees = sumOf(several.map((entries) => entries.length - 1));
    if (degrees === 0) {
      throw new InvalidArgumentError(`the pilot has no arm with two runs of ${measure}; run at least two seeds`);
    }
    const deviation = Math.sqrt(sumOf(several.map((entries) => squaresOf(entries))) / degrees);
    const mean = meanOf(arms.find((entries) => entries.length > 0)!);
    if (deviation === 0 || mean === 0) return [];
    const size = Math.abs(mean);
    return [
      {
        measure,
        mean,
        deviation,
        uncertainty: 1 / Math.sqrt(2 * degrees),
        detectable: powers.flatMap((power) =>
          runs.map((count) => {
            const difference = finiteOrNull(detectableInDeviations(count, count, alpha, power) * deviation);
            return { runs: count, power, difference, share: difference === null ? null : difference / size };
          }),
        ),
        needed: powers.flatMap((power) =>
          shares.map((share) => ({
            share,
            power,
            runs: finiteOrNull(runsNeeded({ effect: share * size, deviation, alpha, power })),
          })),
        ),
      },
    ];
  });
}

function isReport(pilot: ExperimentReport | PilotValues): pilot is ExperimentReport {
  return 'plan' in pilot && 'effects' in pilot;
}

/** Measures of which some arm has two runs. */
function pilotValues({ plan, runs, measures }: ExperimentReport): PilotValues {
  const all = measures.map(({ name }) => [
    name,
    plan.arms.map((arm) => valuesOfArm(runs, arm.name, name, 'all').values),
  ]) satisfies [string, number[][]][];
  return Object.fromEntries(all.filter(([, arms]) => arms.some((entries) => entries.length >= 2)));
}
