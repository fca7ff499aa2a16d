import type { Experiment } from '@rarefy/experiment';
import { planPower } from '../analysis/plan-power.js';
import type { ExperimentReport } from '../analysis/report.js';

const figure = (value: number | null, digits = 3) => (value === null ? '' : String(Number(value.toPrecision(digits))));

/** The effects on the primary measure, as cells of a table; the first row is the header. */
export function primaryTable({ plan, baseline, effects }: ExperimentReport): string[][] {
  const rows = effects
    .filter(({ measure }) => measure === plan.primary)
    .map(({ arm, stratum, baselineMean, armMean, difference, interval, p, detectable }) => [
      ...[arm, stratum, figure(baselineMean), figure(armMean), figure(difference)],
      ...[interval.map((end) => figure(end)).join(' to '), figure(p), figure(detectable)],
    ]);
  return [['arm', 'stratum', baseline, 'arm', 'difference', '95 % interval', 'p', 'detectable'], ...rows];
}

/** The share of the draws of each arm that went to the rarest tenth of the prompts, in percent, by every rarity. */
export function rareDrawsTable({ arms, draws }: ExperimentReport): string[][] {
  const rarities = [...new Set(draws.map(({ rarity }) => rarity))];
  const share = (arm: string, by: string) => draws.find((one) => one.arm === arm && one.rarity === by)?.deciles[0] ?? 0;
  const rows = arms.map(({ arm: { name } }) => [
    name,
    ...rarities.map((by) => `${(100 * share(name, by)).toFixed(1)} %`),
  ]);
  return [['', ...rarities], ...rows];
}

/**
 * The smallest differences that more runs could find in the measures of a pilot's plan, by runs per arm.
 * @throws InvalidArgumentError if no arm of the pilot has two runs.
 */
export function powerTable(pilot: ExperimentReport): string[][] {
  const planned = [pilot.plan.primary, ...pilot.plan.secondary];
  const power = planPower(pilot, { powers: [pilot.plan.power] }).filter(({ measure }) => planned.includes(measure));
  const counts = power[0]?.detectable.map(({ runs }) => `${runs} runs`) ?? [];
  const rows = power.map(({ measure, mean, deviation, detectable }) => [
    ...[measure, figure(mean), figure(deviation, 2)],
    ...detectable.map(({ difference }) => (difference === null ? 'none' : figure(difference, 2))),
  ]);
  return [['measure', 'mean', 'deviation of a run', ...counts], ...rows];
}

/** What an experiment compares, in five lines; before them, a warning if the seeds are too few to prove anything. */
export function planLines(experiment: Experiment, folder: string): string[] {
  const { name, arms, seeds, training, evaluation, heldOut, strata, primary, secondary = [], rarities } = experiment;
  const { steps, batchSize = 32, groupSize = 8 } = training;
  const counts = strata.map((one) => `${heldOut.filter(({ stratum }) => stratum === one).length} ${one}`);
  return [
    ...(seeds.length < 4 ? [`${seeds.length} seeds per arm prove nothing: this is a trial.`] : []),
    `${name}: ${arms.length} arms × ${seeds.length} seeds, ${steps} steps of ${batchSize} prompts × ${groupSize} answers`,
    `Arms        ${arms.map((arm) => arm.name).join(', ')}; the first is the baseline`,
    `Decided by  ${primary}${secondary.length === 0 ? '' : `; also ${secondary.join(', ')}`}`,
    `Held out    ${counts.join(', ')} prompts, ${evaluation.answers} answers each`,
    `Plan        ${folder}/plan.json, draws verified by ${Object.keys(rarities).join(', ')}`,
  ];
}
