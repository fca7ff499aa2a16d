import type { Departure, MeasureInfo } from '@rarefy/experiment';
import { permutationTest } from '@rarefy/statistics';
import { leastEmDashes, testedArms } from './checks.js';
import type { TestPlan } from './effects.js';
import type { Check, Collapse, Effect, Verdict } from './report.js';
import {
  counted,
  excludesZero,
  figure,
  isDensityAware,
  listed,
  percent,
  type RunValues,
  signed,
  valuesOfArm,
} from './run-values.js';

export interface VerdictInput {
  readonly plan: TestPlan;
  readonly runs: readonly RunValues[];
  readonly effects: readonly Effect[];
  readonly collapse: readonly Collapse[];
  readonly checks: readonly Check[];
  readonly departures: readonly Departure[];
  readonly measures: readonly MeasureInfo[];
}

/** Checks without which no answer is given. The first two only matter to the claim about density-aware arms. */
const ofTheClaim = ['treatment', 'collapse'];
const always = ['comparability', 'tokens', 'runs', 'values'];

/** Measures of quality that the findings name beside diversity. */
const quality = ['good', 'on-topic', 'reward', 'garbled', 'words'];

/**
 * What can be said. `cannot-answer` if the check `comparability`, `tokens`, `runs` or `values` failed, or, with density-aware arms,
 * `treatment` or `collapse`. Otherwise `effect` if the primary measure of a density-aware arm differs from the baseline after
 * Holm's correction; otherwise `no-effect-found`. An effect is compared with that of arms with shuffled weights: if they show it
 * too, concentrating the draws explains it, and rarity is not needed. Without density-aware arms, all arms are judged.
 * Deterministic.
 */
export function verdictOf(input: VerdictInput): Verdict {
  const { plan, checks, effects } = input;
  const hasClaim = plan.arms.slice(1).some(isDensityAware);
  const blocking = checks
    .filter(
      ({ name, status }) => status === 'failed' && (always.includes(name) || (hasClaim && ofTheClaim.includes(name))),
    )
    .sort((a, b) => Number(b.name === 'runs') - Number(a.name === 'runs')); // too few runs say the least
  const names = testedArms(plan);
  const primary = effects.filter((effect) => effect.family === 'primary' && names.includes(effect.arm));
  const found = primary.filter(({ pHolm }) => pHolm !== null && pHolm <= plan.alpha);
  const label = labelOf(input, plan.primary);
  const findings = [
    ...strataFindings(input, names),
    ...primary.map((effect) => primaryFinding(effect, plan)),
    ...found.flatMap((effect) => placeboFindings(input, effect).map(({ text }) => text)),
    ...secondaryFindings(input),
    ...qualityFindings(input, names),
  ];
  const limits = limitsOf(input, found.length === 0);
  if (blocking.length > 0) {
    const [first, ...others] = blocking as [Check, ...Check[]];
    const more = others.length > 0 ? ` Also failed: ${listed(others.map(({ name }) => name))}.` : '';
    const headline = `This experiment cannot answer the question. ${first.text}${more}`;
    return { kind: 'cannot-answer', headline, findings, limits };
  }
  if (found.length > 0) return { kind: 'effect', headline: effectHeadline(input, found, label), findings, limits };
  return { kind: 'no-effect-found', headline: nullHeadline(primary, label, plan), findings, limits };
}

function labelOf({ measures }: VerdictInput, measure: string): string {
  return measures.find(({ name }) => name === measure)?.label ?? measure;
}

function effectHeadline(input: VerdictInput, found: readonly Effect[], label: string): string {
  const baseline = input.plan.arms[0]!.name;
  const direction = (rises: boolean) => {
    const arms = found.filter(({ difference }) => difference > 0 === rises);
    if (arms.length === 0) return [];
    const figures = arms.map(
      ({ difference, baselineMean }) => `${signed(difference)}${relative(difference, baselineMean)}`,
    );
    return [`${rises ? 'higher' : 'lower'} in ${listed(arms.map(({ arm }) => arm))} (${listed(figures)})`];
  };
  const measure = `${label[0]!.toUpperCase()}${label.slice(1)}`;
  const shares = found.map((effect) => placeboFindings(input, effect).some(({ same }) => same));
  const reservation = shares.some(Boolean)
    ? '; the placebo shows the same, so that concentration of the draws, not rarity, explains it'
    : '';
  return `${measure}, against ${baseline}: ${[...direction(true), ...direction(false)].join('; ')}${reservation}.`;
}

function relative(difference: number, mean: number): string {
  return mean === 0 ? '' : `, ${difference > 0 ? '+' : '-'}${percent(Math.abs(difference / mean))}`;
}

function nullHeadline(primary: readonly Effect[], label: string, { power }: TestPlan): string {
  const detectable = primary.flatMap(({ detectableHolm }) => (detectableHolm === null ? [] : [detectableHolm]));
  const largest = Math.max(...detectable);
  const mean = primary[0]?.baselineMean ?? 0;
  const share = mean === 0 ? '' : ` (${percent(Math.abs(largest / mean))} of the baseline)`;
  const could =
    detectable.length === 0
      ? ''
      : ` Differences of ${figure(largest)}${share} or more would have been found with ${percent(power)} power; smaller ones may exist.`;
  return `No difference in ${label} was found.${could}`;
}

function primaryFinding(
  { arm, measure, baselineMean, armMean, difference, interval, p, pHolm, detectable, shareAverted }: Effect,
  plan: TestPlan,
) {
  const averted =
    shareAverted === null || !excludesZero(interval)
      ? ''
      : ` That is ${percent(shareAverted)} of what the baseline lost.`;
  const could = detectable === null ? '' : ` Detectable with ${percent(plan.power)} power: ${figure(detectable)}.`;
  return `${arm}, ${measure} over all strata: ${figure(armMean)} against ${figure(baselineMean)}, ${signed(difference)} (95 % interval ${ends(interval)}), p ${pShown(p)}, after Holm ${pShown(pHolm)}.${could}${averted}`;
}

function ends([lower, upper]: Effect['interval']): string {
  return `${signed(lower)} to ${signed(upper)}`;
}

function pShown(p: number | null): string {
  if (p === null) return 'unknown';
  return p < 0.001 ? p.toExponential(1) : p.toFixed(3);
}

/** The strata come first: opposite effects cancel in the total. */
function strataFindings({ plan, effects }: VerdictInput, names: readonly string[]): string[] {
  return names.flatMap((arm) => {
    const strata = effects.filter(
      (effect) => effect.arm === arm && effect.measure === plan.primary && effect.stratum !== 'all',
    );
    if (strata.length === 0) return [];
    const figures = strata.map(
      ({ stratum, difference, interval }) => `${signed(difference)} in ${stratum} (${ends(interval)})`,
    );
    const clear = strata.filter(({ interval }) => excludesZero(interval));
    const isOpposite = clear.some(({ difference }) => difference > 0) && clear.some(({ difference }) => difference < 0);
    const cancel = isOpposite ? ' Effects are opposite in some strata, so the total cancels them.' : '';
    return [`${arm}, ${plan.primary} by stratum: ${listed(figures)}; exploratory.${cancel}`];
  });
}

interface PlaceboFinding {
  /** Whether the placebo shows the same as the arm. */
  readonly same: boolean;
  readonly text: string;
}

/** An effect against that of arms with shuffled weights, preferably of the same strength. */
function placeboFindings({ plan, runs, effects }: VerdictInput, effect: Effect): PlaceboFinding[] {
  const essOf = (name: string) => {
    const sampler = plan.arms.find((arm) => arm.name === name)!.sampler;
    return sampler.kind === 'uniform' ? undefined : sampler.targetEss;
  };
  const placebos = plan.arms.filter(({ sampler }) => sampler.kind === 'shuffled').map(({ name }) => name);
  const alike = placebos.filter((name) => essOf(name) === essOf(effect.arm));
  return (alike.length > 0 ? alike : placebos).flatMap((placebo) => {
    const ofPlacebo = effects.find((other) => other.arm === placebo && other.family === 'primary');
    if (ofPlacebo === undefined) return [];
    const values = [effect.arm, placebo].map((name) => valuesOfArm(runs, name, plan.primary, 'all').values);
    const { p, difference } = permutationTest(values[0]!, values[1]!);
    const isAlsoFound = (ofPlacebo.pHolm ?? 1) <= plan.alpha && ofPlacebo.difference * effect.difference > 0;
    const goesFurther = p <= plan.alpha && difference * effect.difference > 0;
    const figures = `${placebo} differs from the baseline by ${signed(ofPlacebo.difference)} (after Holm ${pShown(ofPlacebo.pHolm)}) and ${effect.arm} from ${placebo} by ${signed(difference)} (p ${pShown(p)}, not corrected)`;
    const meaning = goesFurther
      ? isAlsoFound
        ? 'concentrating the draws has an effect of its own, and rarity adds to it'
        : 'rarity, not concentration of the draws alone, explains the effect'
      : isAlsoFound
        ? 'concentration of the draws, not rarity, explains the effect'
        : 'whether rarity or concentration of the draws explains the effect is open';
    return [{ same: isAlsoFound && !goesFurther, text: `Placebo: ${figures}: ${meaning}.` }];
  });
}

function secondaryFindings(input: VerdictInput): string[] {
  const { plan, effects, collapse } = input;
  const rate = collapse.find(({ measure, stratum }) => measure === 'em-dashes' && stratum === 'all')?.start ?? 0;
  const found = effects.filter(
    ({ family, pHolm, measure }) =>
      family === 'secondary' && (pHolm ?? 1) <= plan.alpha && (measure !== 'em-dashes' || rate >= leastEmDashes),
  );
  if (plan.secondary.length === 0) return [];
  if (found.length === 0) return ['No secondary measure differs in any arm after Holm.'];
  return found.map(
    ({ arm, measure, difference, baselineMean, pHolm }) =>
      `${arm}, secondary: ${labelOf(input, measure)} ${signed(difference)}${relative(difference, baselineMean)}, after Holm ${pShown(pHolm)}.`,
  );
}

function qualityFindings({ effects }: VerdictInput, names: readonly string[]): string[] {
  return names.flatMap((arm) => {
    const beside = quality.flatMap((measure) =>
      effects.filter((effect) => effect.arm === arm && effect.measure === measure && effect.stratum === 'all'),
    );
    if (beside.length === 0) return [];
    const figures = beside.map(
      ({ measure, baselineMean, armMean, interval }) =>
        `${measure} ${figure(armMean)} against ${figure(baselineMean)}${excludesZero(interval) ? '' : ' (within the noise)'}`,
    );
    return [`${arm}, quality: ${listed(figures)}.`];
  });
}

function limitsOf({ plan, runs, checks, departures }: VerdictInput, foundNothing: boolean): string[] {
  const counts = plan.arms.map(({ name }) => runs.filter((run) => run.arm === name).length);
  return [
    'One setting: one start model, one reward, one set of prompts and one set of hyperparameters. All intervals are conditional on these, and say nothing about other models or data.',
    `${counted(Math.min(...counts), 'run')} per arm${Math.min(...counts) <= 2 ? ': too few to prove anything' : ''}; the run is the unit, and more answers per run do not replace runs.`,
    ...(foundNothing
      ? ['Not finding a difference does not show that there is none; the intervals say which ones remain possible.']
      : []),
    'Single strata and all measures outside the two families are exploratory: they suggest what to test next and prove nothing.',
    ...(departures.some(({ kind }) => kind === 'looked-early')
      ? [
          `The data were looked at before the end: if that decided anything, false findings are more frequent than ${percent(plan.alpha)}, and the p values are too small.`,
        ]
      : []),
    ...checks.filter(({ status }) => status !== 'ok').map(({ text }) => text),
  ];
}
