import type { Arm, Departure, MeasuredValues, Plan, RunConfig } from '@rarefy/experiment';
import { meanOf, permutationTest } from '@rarefy/statistics';
import { familySizes, isLoss, type TestPlan } from './effects.js';
import type { Check, Collapse, Effect } from './report.js';
import {
  counted,
  excludesZero,
  figure,
  isDensityAware,
  listed,
  meanInterval,
  percent,
  type RunValues,
  signed,
  valuesOfArm,
} from './run-values.js';

/** What must be equal between runs. */
export interface RunFacts extends Pick<RunConfig, 'arm' | 'seed' | 'streamSeed' | 'digests'> {
  readonly steps: number;
  readonly trainedTokens: number;
}

export interface ChecksInput {
  readonly plan: TestPlan & Pick<Plan, 'gates' | 'seeds' | 'strata'>;
  readonly runs: readonly RunValues[];
  readonly start: MeasuredValues;
  readonly effects: readonly Effect[];
  readonly collapse: readonly Collapse[];
  readonly departures: readonly Departure[];
  /** One per run. Default: none, and runs are compared by departures alone. */
  readonly facts?: readonly RunFacts[];
}

/** Departures after which arms differ by more than their treatment. */
const incomparable: readonly Departure['kind'][] = ['wrong-pairing', 'run-differs'];

/** Measures of diversity that count all answers, good or not: they change when answers become alike. */
const companions = [
  'distinct-2',
  'vocabulary-ratio',
  'vendi-prompt',
  'vendi-across',
  'entropy',
  'self-bleu-prompt',
  'self-bleu-across',
];

/** Below this rate per 1,000 words at the start, there is no habit of em-dashes that training could change. */
export const leastEmDashes = 2;

/** Every condition of the result but that of {@link verifyTreatment}, in a fixed order. Deterministic. */
export function checksOf(input: ChecksInput): Check[] {
  return [
    collapseCheck(input),
    comparabilityCheck(input),
    tokensCheck(input),
    runsCheck(input),
    planCheck(input),
    startCheck(input),
    valuesCheck(input),
    pairingCheck(input),
    garbledCheck(input),
    emDashesCheck(input),
    measuresCheck(input),
  ].filter((check) => check !== undefined);
}

function collapseCheck({ plan, collapse }: ChecksInput): Check {
  const name = 'collapse';
  const baseline = plan.arms[0]!.name;
  const shown = ({ start, end, changeInDeviations }: Collapse) =>
    `${figure(start)} to ${figure(end)}${changeInDeviations === null ? '' : `, ${signed(changeInDeviations)} deviations of a run`}`;
  const primary = collapse.filter(({ measure }) => measure === plan.primary);
  const total = primary.find(({ stratum }) => stratum === 'all');
  const worse = primary.filter((entry) => entry.stratum !== 'all' && isLoss(entry)).map(({ stratum }) => stratum);
  const lost = collapse.filter(
    (entry) =>
      entry.stratum === 'all' && companions.includes(entry.measure) && entry.measure !== plan.primary && isLoss(entry),
  );
  const others =
    lost.length === 0
      ? 'no measure of diversity became worse'
      : `answers became more alike by ${listed(lost.map((entry) => `${entry.measure} (${shown(entry)})`))}`;
  if (total === undefined) {
    return {
      name,
      status: 'failed',
      text: `${baseline} has too few runs to say whether training makes ${plan.primary} worse.`,
    };
  }
  const of = `${plan.primary} went from ${shown(total)}, in ${baseline}`;
  if (isLoss(total)) return { name, status: 'ok', text: `Training takes something away: ${of}; ${others}.` };
  const inStrata = worse.length === 0 ? '' : `, but became worse in ${listed(worse)}`;
  if (worse.length > 0 || lost.length > 0) {
    return {
      name,
      status: 'warning',
      text: `The primary measure did not become worse in total: ${of}${inStrata}; ${others}. An arm can only be better than the baseline here, not avert a loss of this measure.`,
    };
  }
  return { name, status: 'failed', text: `Training takes nothing away that could be prevented: ${of}; ${others}.` };
}

function comparabilityCheck({ departures, facts = [] }: ChecksInput): Check {
  const name = 'comparability';
  const broken = departures.filter(({ kind }) => incomparable.includes(kind)).map(({ text }) => text);
  const withoutName = (arm: Arm) => JSON.stringify({ ...arm, name: '' });
  const mispaired = facts.filter(({ arm, seed, streamSeed }, index) => {
    const partner = facts.find((other) => other.seed === seed)!;
    const isRepeated = facts
      .slice(0, index)
      .some((other) => withoutName(other.arm) === withoutName(arm) && other.seed === seed);
    return !isRepeated && streamSeed !== partner.streamSeed;
  });
  if (mispaired.length > 0 && broken.length === 0) {
    const runs = mispaired.map(({ arm, seed }) => `${arm.name} with seed ${seed}`);
    broken.push(`Wrong pairing: other runs of the same seed have other random streams than ${listed(runs)}.`);
  }
  for (const of of ['model', 'prompts', 'heldOut', 'code'] as const) {
    const digests = new Set(facts.map((run) => run.digests[of]));
    if (digests.size > 1)
      broken.push(`Runs have ${digests.size} different digests of ${of === 'heldOut' ? 'held-out prompts' : of}.`);
  }
  if (broken.length > 0) return { name, status: 'failed', text: firstOf(broken) };
  const text =
    facts.length === 0
      ? 'No departure says that runs differ by more than their arm.'
      : `All ${facts.length} runs share the start model, prompts and code, and runs of one seed their random streams.`;
  return { name, status: 'ok', text };
}

/** A broken experiment can have a departure per run. */
function firstOf(texts: readonly string[]): string {
  const rest = texts.length - 3;
  return [...texts.slice(0, 3), ...(rest > 0 ? [`And ${rest} more.`] : [])].join(' ');
}

function tokensCheck({ plan, departures, facts = [] }: ChecksInput): Check | undefined {
  const name = 'tokens';
  const fewer = departures.filter(({ kind }) => kind === 'fewer-tokens');
  if (fewer.length > 0) return { name, status: 'failed', text: fewer.map(({ text }) => text).join(' ') };
  if (facts.length === 0) return undefined;
  const steps = [...new Set(facts.map((run) => run.steps))].sort((a, b) => a - b);
  if (steps.length > 1) {
    return {
      name,
      status: 'failed',
      text: `Runs have trained for different numbers of steps: ${listed(steps.map(String))}.`,
    };
  }
  const means = plan.arms.flatMap(({ name: arm }) => {
    const tokens = facts.filter((run) => run.arm.name === arm).map((run) => run.trainedTokens);
    return tokens.length === 0 ? [] : [{ arm, mean: meanOf(tokens) }];
  });
  const base = means[0]!.mean;
  const unequal = means.filter(({ mean }) => Math.abs(mean / base - 1) > 0.1);
  const ratios = means.slice(1).map(({ arm, mean }) => `${percent(mean / base)} in ${arm}`);
  return {
    name,
    status: unequal.length > 0 ? 'warning' : 'ok',
    text: `Every run took ${steps[0]} steps and trained on ${figure(base)} tokens in ${means[0]!.arm}${ratios.length > 0 ? `, ${listed(ratios)} of that` : ''}${unequal.length > 0 ? ': answers became shorter or longer in some arms, so compare lengths, too' : ''}.`,
  };
}

function runsCheck({ plan, runs, effects }: ChecksInput): Check {
  const name = 'runs';
  const family = familySizes(plan).primary;
  const counts = plan.arms.map((arm) => runs.filter((run) => run.arm === arm.name).length);
  const fewest = Math.min(...counts);
  const smallest = plan.arms.slice(1).map(({ name: arm }) => {
    const [treated, control] = [arm, plan.arms[0]!.name].map((of) => valuesOfArm(runs, of, plan.primary, 'all').values);
    return treated!.length === 0 || control!.length === 0 ? 1 : permutationTest(treated!, control!).smallestP;
  });
  const worst = Math.max(0, ...smallest);
  const isReachable = worst * family <= plan.alpha;
  const corrected =
    family === 1 ? '' : `, and ${figure(Math.min(1, worst * family))} after Holm's correction over ${family} arms`;
  const figures = `with ${counted(fewest, 'run')} in the smallest arm, p can be as small as ${figure(worst)}${corrected}`;
  if (!isReachable) {
    const lead = fewest <= 2 ? `${fewest === 2 ? 'Two seeds prove' : 'One seed proves'} nothing` : 'Too few runs';
    return { name, status: 'failed', text: `${lead}: ${figures}, which is above the level ${plan.alpha}.` };
  }
  const found = effects.filter(({ family: of }) => of === 'primary').map(({ detectableHolm }) => detectableHolm);
  const known = found.filter((value) => value !== null);
  const detectable =
    known.length === 0
      ? ''
      : ` A difference of ${figure(Math.max(...known))} is found with ${percent(plan.power)} power.`;
  return { name, status: 'ok', text: `Enough runs to find an effect: ${figures}.${detectable}` };
}

function planCheck({ departures }: ChecksInput): Check {
  const name = 'plan';
  const other = departures.filter(({ kind }) => kind !== 'fewer-tokens' && !incomparable.includes(kind));
  if (other.length === 0)
    return { name, status: 'ok', text: 'The plan was written before the first run and was kept.' };
  return { name, status: 'warning', text: `Departures from the plan: ${firstOf(other.map(({ text }) => text))}` };
}

const tenths = (share: number) => `${(100 * share).toFixed(1)} %`;

function startCheck({ plan: { gates }, start }: ChecksInput): Check | undefined {
  const tests = [
    ...(gates.garbled === undefined ? [] : [['garbled', 'all', gates.garbled, 'at most'] as const]),
    ...Object.entries(gates.onTopic ?? {}).map(([stratum, least]) => ['on-topic', stratum, least, 'at least'] as const),
  ];
  if (tests.length === 0) return undefined;
  const results = tests.map(([measure, stratum, bound, direction]) => {
    const value = start[measure]?.[stratum];
    const met = value !== undefined && (direction === 'at most' ? value <= bound : value >= bound);
    const shown = value === undefined ? 'is not known' : `is ${tenths(value)}`;
    return { met, text: `${measure} (${stratum}) ${shown}, planned ${direction} ${tenths(bound)}` };
  });
  const missed = results.filter(({ met }) => !met);
  return {
    name: 'start',
    status: missed.length > 0 ? 'failed' : 'ok',
    text: `${missed.length > 0 ? 'The start model misses its conditions' : 'The start model meets its conditions'}: ${(missed.length > 0 ? missed : results).map(({ text }) => text).join('; ')}.`,
  };
}

function valuesCheck({ plan, runs, start }: ChecksInput): Check {
  const name = 'values';
  const planned = [plan.primary, ...plan.secondary];
  const missing = planned.flatMap((measure) => {
    const without = runs.filter(({ values }) => values[measure]?.all === undefined).length;
    return without === 0 && start[measure]?.all !== undefined ? [] : [{ measure, without }];
  });
  if (missing.length === 0) return { name, status: 'ok', text: 'Every run has a value of every planned measure.' };
  const never = missing.filter(({ without }) => without === runs.length).map(({ measure }) => measure);
  const sometimes = missing.filter(({ without }) => without < runs.length);
  const texts = [
    ...(never.length === 0 ? [] : [`Planned but not measured: ${listed(never)}.`]),
    ...(sometimes.length === 0
      ? []
      : [
          `Values are missing: ${listed(sometimes.map(({ measure, without }) => `${measure} in ${without} of ${runs.length} runs${start[measure]?.all === undefined ? ' and the start model' : ''}`))}. Runs without a value are not a random part of all.`,
        ]),
  ];
  const isPrimary = missing.some(({ measure, without }) => measure === plan.primary && without > 0);
  return { name, status: isPrimary ? 'failed' : 'warning', text: texts.join(' ') };
}

/** Fewer pairs say nothing about a correlation. */
const fewestPairs = 4;

function pairingCheck({ plan, runs, effects }: ChecksInput): Check {
  const name = 'pairing';
  const seedsOf = plan.arms.map((arm) => runs.filter((run) => run.arm === arm.name).map(({ seed }) => seed));
  const shared = seedsOf[0]!.filter((seed) => seedsOf.every((seeds) => seeds.includes(seed))).length;
  const correlations = effects.flatMap(({ family, pairing }) =>
    family === 'primary' && pairing.correlation !== null ? [pairing.correlation] : [],
  );
  const mean = meanOf(correlations);
  const r =
    correlations.length === 0 || shared < fewestPairs
      ? ''
      : ` Runs of one seed correlate by ${figure(mean)} in ${plan.primary} on average: pairing ${mean > 0.3 ? 'helps, so look at the sign-flip p, too' : 'buys nothing'}.`;
  const isWhole = seedsOf.every((seeds) => seeds.length === shared);
  const seeds = isWhole
    ? `All arms have the same ${counted(shared, 'seed')}.`
    : `Only ${counted(shared, 'seed')} are in all arms.`;
  return { name, status: isWhole ? 'ok' : 'warning', text: `${seeds}${r} The test that decides does not use pairs.` };
}

function garbledCheck({ plan, runs, start }: ChecksInput): Check | undefined {
  const before = start.garbled?.all;
  if (before === undefined) return undefined;
  const rising = plan.arms.flatMap(({ name: arm }) => {
    const { values } = valuesOfArm(runs, arm, 'garbled', 'all');
    const rises = values.length >= 2 && excludesZero(shifted(values, before)) && meanOf(values) > before;
    return rises ? [`${percent(meanOf(values))} in ${arm}`] : [];
  });
  return {
    name: 'garbled',
    status: rising.length > 0 ? 'warning' : 'ok',
    text:
      rising.length > 0
        ? `Garbled answers rose from ${percent(before)} to ${listed(rising)}: garbled words are diverse, so trust only measures of good answers.`
        : `Garbled answers did not rise from the ${percent(before)} of the start model in any arm.`,
  };
}

function shifted(values: readonly number[], by: number) {
  const [lower, upper] = meanInterval(values);
  return [lower - by, upper - by] as const;
}

function emDashesCheck({ start }: ChecksInput): Check | undefined {
  const rate = start['em-dashes']?.all;
  if (rate === undefined) return undefined;
  const isEnough = rate >= leastEmDashes;
  return {
    name: 'em-dashes',
    status: isEnough ? 'ok' : 'warning',
    text: `The start model writes ${figure(rate)} em-dashes per 1,000 words${isEnough ? '' : `, fewer than ${leastEmDashes}: differences in em-dashes mean nothing here`}.`,
  };
}

function measuresCheck({ plan, effects }: ChecksInput): Check {
  const { primary, secondary } = familySizes(plan);
  const exploratory = effects.filter(({ family }) => family === 'exploratory').length;
  const byChance = Math.round(exploratory * plan.alpha);
  const names = new Set(effects.map(({ measure }) => measure));
  return {
    name: 'measures',
    status: 'ok',
    text: `${counted(names.size, 'measure')} were looked at in ${effects.length} comparisons: ${primary} planned as primary, ${secondary} as secondary, ${exploratory} exploratory, of which about ${byChance} fall below ${plan.alpha} by chance alone.`,
  };
}

/** Arms that the verdict is about: the density-aware ones, or all but the baseline if there are none. */
export function testedArms({ arms }: TestPlan): string[] {
  const others = arms.slice(1);
  const aware = others.filter(isDensityAware);
  return (aware.length > 0 ? aware : others).map(({ name }) => name);
}
