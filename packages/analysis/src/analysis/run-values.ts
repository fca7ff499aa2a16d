import type { Arm, MeasuredValues } from '@rarefy/experiment';
import { type Interval, meanOf, squaresOf, tQuantile } from '@rarefy/statistics';

/** What the statistics of an experiment see of a run: one number per measure and stratum. */
export interface RunValues {
  readonly arm: string;
  readonly seed: number;
  /** After training. Values that do not exist are left out. */
  readonly values: MeasuredValues;
}

/** The values of an arm's runs that have one, with their seeds, in order of `runs`. */
export function valuesOfArm(runs: readonly RunValues[], arm: string, measure: string, stratum: string) {
  const seeds: number[] = [];
  const values: number[] = [];
  for (const run of runs) {
    const value = run.values[measure]?.[stratum];
    if (run.arm !== arm || value === undefined || !Number.isFinite(value)) continue;
    seeds.push(run.seed);
    values.push(value);
  }
  return { seeds, values };
}

/** Every measure with its strata that some of these have, in order of first appearance. */
export function measuredStrata(values: readonly MeasuredValues[]): [measure: string, strata: string[]][] {
  const found = new Map<string, Set<string>>();
  for (const measures of values) {
    for (const [measure, strata] of Object.entries(measures)) {
      const known = found.get(measure) ?? new Set();
      for (const stratum of Object.keys(strata)) known.add(stratum);
      found.set(measure, known);
    }
  }
  return [...found].map(([measure, strata]) => [measure, [...strata]]);
}

/** Values that do not exist are left out, since JSON has no NaN. */
export function finiteValues(values: MeasuredValues): MeasuredValues {
  return Object.fromEntries(
    Object.entries(values).flatMap(([measure, strata]) => {
      const finite = Object.entries(strata).filter(([, value]) => Number.isFinite(value));
      return finite.length === 0 ? [] : [[measure, Object.fromEntries(finite)]];
    }),
  );
}

/** 95 % interval of the mean by Student's t. With one value, that value. */
export function meanInterval(values: readonly number[]): Interval {
  const mean = meanOf(values);
  const reach =
    values.length < 2 ? 0 : tQuantile(0.975, values.length - 1) * (deviationOf(values) / Math.sqrt(values.length));
  return [mean - reach, mean + reach];
}

/** Standard deviation of at least two values. */
export function deviationOf(values: readonly number[]): number {
  return Math.sqrt(squaresOf(values) / (values.length - 1));
}

export function excludesZero([lower, upper]: Interval): boolean {
  return lower > 0 || upper < 0;
}

/** NaN and infinity become null, since JSON has neither. */
export function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Whether an arm draws rare prompts more often: the arms that the claim is about. */
export function isDensityAware({ sampler }: Arm): boolean {
  return sampler.kind === 'density';
}

/** Three significant digits. */
export function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** With its sign, unless it is 0. */
export function signed(value: number): string {
  return value > 0 ? `+${figure(value)}` : figure(value);
}

export function percent(share: number): string {
  const hundredths = share * 100;
  return `${Math.abs(hundredths) < 10 ? Number(hundredths.toPrecision(2)) : Math.round(hundredths)} %`;
}

/** Such as `a, b and c`. */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** Such as `1 run` or `8 runs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
