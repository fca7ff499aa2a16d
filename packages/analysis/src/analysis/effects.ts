import { type MeasuredValues, measureCatalog, type Plan } from '@rarefy/experiment';
import {
  holm,
  type Interval,
  meanDifference,
  meanOf,
  minimumDetectableEffect,
  pairingCorrelation,
  permutationTest,
  signFlipTest,
  stratifiedBootstrap,
} from '@rarefy/statistics';
import type { Collapse, Effect } from './report.js';
import { deviationOf, finiteOrNull, meanInterval, measuredStrata, type RunValues, valuesOfArm } from './run-values.js';

/** What the tests need of a plan. The first arm is the baseline. */
export type TestPlan = Pick<Plan, 'arms' | 'primary' | 'secondary' | 'alpha' | 'power'>;

/** The primary measure per held-out prompt, for the bootstrap. */
export interface PromptValues {
  /** Stratum of each prompt. */
  readonly strata: readonly string[];
  /** By arm: one array per run, with one value per prompt. */
  readonly arms: Readonly<Record<string, readonly Float64Array[]>>;
}

export interface EffectsInput {
  readonly plan: TestPlan;
  readonly runs: readonly RunValues[];
  /** Of the baseline, from {@link collapseOf}. Default: none, and no share averted. */
  readonly collapse?: readonly Collapse[];
  readonly perPrompt?: PromptValues;
}

/**
 * How the baseline changed every measure that the start model and at least two of its runs have. The interval is over runs: the
 * start model was evaluated once, and its value is taken as it is. Deterministic.
 */
export function collapseOf(baseline: string, start: MeasuredValues, runs: readonly RunValues[]): Collapse[] {
  return measuredStrata([start]).flatMap(([measure, strata]) =>
    strata.flatMap((stratum) => {
      const { values } = valuesOfArm(runs, baseline, measure, stratum);
      if (values.length < 2) return [];
      const before = start[measure]![stratum]!;
      const [lower, upper] = meanInterval(values);
      return {
        measure,
        stratum,
        start: before,
        end: meanOf(values),
        interval: [lower - before, upper - before] as const,
        changeInDeviations: finiteOrNull((meanOf(values) - before) / deviationOf(values)),
      };
    }),
  );
}

/**
 * Every arm against the baseline, in every measure and stratum that at least two runs of both have.
 *
 * Two families are fixed by the plan. Primary: the primary measure over all strata, one test per arm that is not the baseline.
 * Secondary: every secondary measure over all strata times every such arm. Holm's correction counts planned tests that could not be
 * made, too. Everything else, all single strata included, is exploratory: its p values are not corrected, and some are small by
 * chance. Deterministic.
 */
export function effectsOf({ plan, runs, collapse = [], perPrompt }: EffectsInput): Effect[] {
  const [baseline, ...others] = plan.arms.map(({ name }) => name);
  const sizes = familySizes(plan);
  const changes = new Map(collapse.map((entry) => [`${entry.measure} ${entry.stratum}`, entry]));
  const strataOf = measuredStrata(runs.map(({ values }) => values));
  const effects = others.flatMap((arm) =>
    strataOf.flatMap(([measure, strata]) =>
      strata.flatMap((stratum): Effect[] => {
        const control = valuesOfArm(runs, baseline!, measure, stratum);
        const treated = valuesOfArm(runs, arm, measure, stratum);
        if (control.values.length < 2 || treated.values.length < 2) return [];
        const family = familyOf(plan, measure, stratum);
        const { difference, interval, hedgesG, deviation } = meanDifference(treated.values, control.values);
        const detectable = (level: number) =>
          finiteOrNull(
            detectableInDeviations(treated.values.length, control.values.length, level, plan.power) * deviation,
          );
        const bootstrapInterval =
          family === 'primary' && perPrompt ? bootstrapOf(perPrompt, arm, baseline!) : undefined;
        const change = changes.get(`${measure} ${stratum}`);
        const lost = change && isLoss(change) ? change.start - change.end : 0;
        return [
          {
            arm,
            measure,
            stratum,
            family,
            baselineMean: meanOf(control.values),
            armMean: meanOf(treated.values),
            difference,
            interval,
            ...(bootstrapInterval && { bootstrapInterval }),
            hedgesG: finiteOrNull(hedgesG),
            p: permutationTest(treated.values, control.values).p,
            pHolm: null,
            detectable: detectable(plan.alpha),
            detectableHolm: family === 'exploratory' ? null : detectable(plan.alpha / sizes[family]),
            pairing: pairingOf(treated, control),
            shareAverted: lost === 0 ? null : difference / lost,
          },
        ];
      }),
    ),
  );
  const adjusted = new Map([
    ...adjustedFamily(effects, 'primary', sizes.primary),
    ...adjustedFamily(effects, 'secondary', sizes.secondary),
  ]);
  return effects.map((effect) => ({ ...effect, pHolm: adjusted.get(effect) ?? null }));
}

/** Whether training certainly made a measure worse: lower, or higher if lower is better. Controls are neither. */
export function isLoss({ measure, interval }: Collapse): boolean {
  const better = measureCatalog.find(({ name }) => name === measure)?.better ?? 'higher';
  return better === 'higher' ? interval[1] < 0 : better === 'lower' && interval[0] > 0;
}

/** Number of planned tests of each family. */
export function familySizes({ arms, primary, secondary }: TestPlan) {
  const measures = new Set(secondary.filter((measure) => measure !== primary));
  return { primary: arms.length - 1, secondary: measures.size * (arms.length - 1) };
}

function familyOf({ primary, secondary }: TestPlan, measure: string, stratum: string): Effect['family'] {
  if (stratum !== 'all') return 'exploratory';
  return measure === primary ? 'primary' : secondary.includes(measure) ? 'secondary' : 'exploratory';
}

/** Tests that could not be made count as p = 1. */
function adjustedFamily(effects: readonly Effect[], family: Effect['family'], size: number): [Effect, number][] {
  const members = effects.filter((effect) => effect.family === family);
  const missing = Math.max(0, size - members.length);
  const adjusted = holm([...members.map(({ p }) => p ?? 1), ...new Array<number>(missing).fill(1)]);
  return members.map((effect, index) => [effect, adjusted[index]!]);
}

function pairingOf(
  treated: ReturnType<typeof valuesOfArm>,
  control: ReturnType<typeof valuesOfArm>,
): Effect['pairing'] {
  const partners = new Map(control.seeds.map((seed, index) => [seed, control.values[index]!]));
  const pairs = treated.seeds.flatMap((seed, index) => {
    const partner = partners.get(seed);
    return partner === undefined ? [] : [[treated.values[index]!, partner] as const];
  });
  if (pairs.length < 2) return { correlation: null, p: null };
  const [a, b] = [pairs.map(([value]) => value), pairs.map(([, partner]) => partner)];
  return {
    correlation: finiteOrNull(pairingCorrelation(a, b)),
    p: signFlipTest(pairs.map(([value, partner]) => value - partner)).p,
  };
}

/** BCa interval of the difference. Prompts are weighted so that all strata have equal weight, as in the value of a run. */
function bootstrapOf({ strata, arms }: PromptValues, arm: string, baseline: string): Interval | undefined {
  const names = [...new Set(strata)];
  const sizes = new Map(names.map((name) => [name, strata.filter((entry) => entry === name).length]));
  const weighted = [arm, baseline].map((name) =>
    (arms[name] ?? []).map((values) =>
      values.map((value, prompt) => (value * strata.length) / (names.length * sizes.get(strata[prompt]!)!)),
    ),
  );
  if (weighted.some((runs) => runs.length < 2 || runs.some((values) => values.some(Number.isNaN)))) return undefined;
  const { bca, percentile } = stratifiedBootstrap(weighted, { strata });
  return [bca, percentile].find((interval) => interval.every(Number.isFinite));
}

/** By sizes, level and power. The simulation behind one takes about a second; all measures share it. */
const detectableEffects = new Map<string, number>();

/** {@link minimumDetectableEffect} for a standard deviation of 1. Infinity if no difference can be found. */
export function detectableInDeviations(a: number, b: number, alpha: number, power: number): number {
  const key = [Math.min(a, b), Math.max(a, b), alpha, power].join(' ');
  const known = detectableEffects.get(key);
  if (known !== undefined) return known;
  const sizes = [Math.min(a, b), Math.max(a, b)] as const;
  const found = minimumDetectableEffect({ sizes, deviation: 1, alpha, power });
  detectableEffects.set(key, found);
  return found;
}
