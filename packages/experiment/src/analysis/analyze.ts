import { checkOptions, InvalidArgumentError, type Matrix } from '@rarefy/core';
import type { Arm } from '../arms/arm.js';
import type { HeldOutPrompt } from '../experiment/experiment.js';
import { medianReward } from '../measures/graded-answers.js';
import { measure, perPromptValues } from '../measures/measure.js';
import { measureCatalog, measureInfo } from '../measures/measure-catalog.js';
import { wordBudgets } from '../measures/word-budgets.js';
import type { Departure, Plan } from '../plan/plan.js';
import type { Evaluation, ExperimentRecord } from '../runs/run-record.js';
import { checksOf } from './checks.js';
import {
  answersOf,
  byDecileOf,
  curvesOf,
  densityHistogram,
  endOf,
  type Measuring,
  optionsFor,
  varianceOf,
} from './details.js';
import { collapseOf, effectsOf, type PromptValues } from './effects.js';
import type { ExperimentReport } from './report.js';
import { finiteValues, type RunValues } from './run-values.js';
import { type ArmDraws, verifyTreatment } from './treatment.js';
import { verdictOf } from './verdict.js';

export interface AnalyzeInput {
  readonly plan: Plan;
  readonly record: ExperimentRecord;
  /** In the order in which evaluations answer them. */
  readonly heldOut: readonly HeldOutPrompt[];
  readonly departures: readonly Departure[];
  /** Commands that repeat the experiment, in order. */
  readonly commands: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Embeddings of the answers of an evaluation, one row per answer, from an embedder that does not drive the sampler, as from
   * {@link embedAnswers}. Undefined for evaluations without them. Default: none, and no measures that need them.
   */
  readonly embeddings?: (evaluation: Evaluation) => Matrix | undefined;
  /** Answers among which distinct good ones are counted. Default: `k` of the plan's evaluation settings, or half of the answers. */
  readonly k?: number;
}

const optionNames = [
  'plan',
  'record',
  'heldOut',
  'departures',
  'commands',
  'environment',
  'embeddings',
  'k',
] satisfies (keyof AnalyzeInput)[];

/**
 * The report of an experiment, from its finished runs; those that the plan does not have are left out. Deterministic: the same
 * records give the same report, `created` included, which is when the last run finished.
 *
 * `docs/guide/reading-a-report.md` says how the verdict is made and what each check means.
 * @throws InvalidArgumentError if there is no planned run, a run has no evaluation after training, an evaluation does not
 *   answer the held-out prompts, or an option is unknown; ShapeError if draws, densities or commonness differ in length.
 */
export function analyze(input: AnalyzeInput): ExperimentReport {
  const given = checkOptions(input, optionNames, 'analyze');
  const { plan, heldOut, departures, commands, environment, embeddings } = given;
  const record = plannedRecord(plan, given.record);
  const baseline = plan.arms[0]!.name;
  const ends = record.runs.map(endOf);
  const startMedianReward = medianReward(record.start);
  const budgets = wordBudgets([record.start, ...ends], heldOut, plan.strata, startMedianReward);
  const k = Math.min(input.k ?? plannedK(plan) ?? Math.max(1, Math.floor(budgets.answers / 2)), budgets.answers);
  const stratified = heldOut.map(({ id, stratum }) => ({ id, stratum }));
  const measuring: Measuring = {
    heldOut: stratified,
    strata: plan.strata,
    startMedianReward,
    k,
    budgets,
    ...(embeddings && { embeddings }),
  };
  const measured = (evaluation: Evaluation) => finiteValues(measure(evaluation, optionsFor(measuring, evaluation)));
  const start = measured(record.start);
  const runs: RunValues[] = record.runs.map((run) => ({
    arm: run.config.arm.name,
    seed: run.config.seed,
    values: measured(endOf(run)),
  }));
  const measures = measureCatalog.filter(({ name }) =>
    [start, ...runs.map(({ values }) => values)].some((of) => of[name]),
  );

  const collapse = collapseOf(baseline, start, runs);
  const perPrompt = promptValues(plan, record, measuring);
  const effects = effectsOf({ plan, runs, collapse, ...(perPrompt && { perPrompt }) });
  const treatment = verifyTreatment(drawsOf(plan, record), record.commonness);
  const facts = record.runs.map(({ config: { arm, seed, streamSeed, digests }, costs: { steps, trainedTokens } }) => {
    return { arm, seed, streamSeed, digests, steps, trainedTokens };
  });
  const checks = [
    ...treatment.checks,
    ...checksOf({ plan, runs, start, effects, collapse, departures, facts }),
    ...(budgets.tooShort.length === 0 ? [] : [tooShortCheck(budgets.tooShort.length)]),
  ];
  const names = [...new Set([plan.primary, 'good', 'on-topic', 'reward'])].filter(
    (name) => start[name] !== undefined && measureInfo(name).scope !== 'stratum',
  );
  return {
    version: 1,
    created: record.runs
      .map(({ costs }) => costs.finished)
      .sort()
      .at(-1)!,
    verdict: verdictOf({ plan, runs, effects, collapse, checks, departures, measures }),
    checks,
    plan,
    departures,
    baseline,
    arms: plan.arms.map((arm) => {
      const own = record.runs.filter(({ config }) => config.arm.name === arm.name);
      return { arm, runs: own.length, cpuSeconds: own.reduce((sum, { costs }) => sum + costs.cpuSeconds, 0) };
    }),
    strata: plan.strata.map((name) => ({ name, prompts: heldOut.filter(({ stratum }) => stratum === name).length })),
    measures,
    start,
    runs,
    effects,
    collapse,
    curves: curvesOf(plan, record, measuring),
    draws: treatment.draws,
    density: densityHistogram(Object.values(record.densities)[0] ?? []),
    byDecile: byDecileOf(plan, record, names, measuring),
    variance: varianceOf(baseline, record, measuring),
    answers: answersOf(plan, record, heldOut, startMedianReward),
    commands,
    environment,
  };
}

/** Only planned runs count: whoever adds runs after a look at the data chooses the result. */
function plannedRecord({ arms, seeds }: Plan, record: ExperimentRecord): ExperimentRecord {
  const runs = record.runs.filter(
    ({ config: { arm, seed } }) => arms.some(({ name }) => name === arm.name) && seeds.includes(seed),
  );
  if (runs.length === 0) throw new InvalidArgumentError('the experiment has no finished run; finish at least one');
  for (const { config, evaluations } of runs) {
    if (evaluations.length > 0) continue;
    throw new InvalidArgumentError(
      `the run of arm "${config.arm.name}" with seed ${config.seed} has no evaluation after training`,
    );
  }
  return { ...record, runs };
}

function plannedK({ settings }: Plan): number | undefined {
  const { k } = { ...(settings.evaluation as { readonly k?: unknown } | undefined) };
  return typeof k === 'number' ? k : undefined;
}

/** The primary measure per prompt, if it has such values. */
function promptValues(plan: Plan, record: ExperimentRecord, measuring: Measuring): PromptValues | undefined {
  if (measureInfo(plan.primary).scope === 'stratum') return undefined;
  const ofArm = (arm: string) =>
    record.runs
      .filter(({ config }) => config.arm.name === arm)
      .map((run) => perPromptValues(endOf(run), plan.primary, optionsFor(measuring, endOf(run))));
  return {
    strata: measuring.heldOut.map(({ stratum }) => stratum),
    arms: Object.fromEntries(plan.arms.map(({ name }) => [name, ofArm(name)])),
  };
}

/** Draws of all runs of each arm together. Arms without runs are left out. */
function drawsOf(plan: Plan, { runs, densities }: ExperimentRecord): ArmDraws[] {
  return plan.arms.flatMap((arm) => {
    const own = runs.filter(({ config }) => config.arm.name === arm.name);
    if (own.length === 0) return [];
    const draws = new Float64Array(own[0]!.drawCounts.length);
    for (const { drawCounts } of own) for (const [prompt, count] of drawCounts.entries()) draws[prompt]! += count;
    return [{ arm, draws, density: densityOfArm(arm, densities), count: draws.reduce((sum, count) => sum + count, 0) }];
  });
}

/** Keys are `EMBEDDER-ESTIMATOR`, the defaults first. */
function densityOfArm({ embedder, estimator }: Arm, densities: ExperimentRecord['densities']): Float64Array {
  const keys = Object.keys(densities);
  const [first] = keys as [string];
  const matches = (key: string) => {
    if (embedder !== undefined && estimator !== undefined) return key === `${embedder}-${estimator}`;
    if (embedder !== undefined) return key.startsWith(`${embedder}-`) && first.endsWith(key.slice(embedder.length));
    return key.endsWith(`-${estimator}`) && first.startsWith(key.slice(0, -estimator!.length));
  };
  const key = embedder === undefined && estimator === undefined ? first : keys.find(matches);
  if (key !== undefined && densities[key] !== undefined) return densities[key];
  throw new InvalidArgumentError(
    `there is no density for embedder ${embedder} and estimator ${estimator} among: ${keys.join(', ')}`,
  );
}

function tooShortCheck(count: number) {
  return {
    name: 'length',
    status: 'warning' as const,
    text: `In ${count} cases, a run wrote far less text than the others in a stratum: its measures of words are left out there.`,
  };
}
