import { streamSeed } from '../experiment/shared-settings.js';
import type { Departure, Plan } from '../plan/plan.js';
import { changedFields, type Look, type PlanChange } from '../plan/plan-files.js';
import type { RunRecord } from './run-record.js';

/** An arm with fewer tokens or steps per run than this share of the baseline's has had less training. */
const leastShare = 0.8;

export interface DepartureInput {
  readonly plan: Plan;
  readonly runs: readonly Pick<RunRecord, 'config' | 'costs'>[];
  readonly looks?: readonly Look[];
  readonly changes?: readonly PlanChange[];
}

/** What was not done as planned. */
export function departuresOf({ plan, runs, looks = [], changes = [] }: DepartureInput): Departure[] {
  return [
    ...changes.map(({ time, fields, reason, finishedRuns }): Departure => {
      const when = `on ${time}, after ${counted(finishedRuns, 'finished run')}`;
      return { kind: 'plan-changed', text: `The plan changed ${when}, in ${fields.join(', ')}: ${reason}.` };
    }),
    ...runsBesidePlan(plan, runs),
    ...runs.flatMap((run) => differences(plan, run)),
    ...wrongPairs(plan, runs),
    ...lessTraining(plan, runs),
    ...looks.map(({ time, finishedRuns, plannedRuns }): Departure => {
      const when = `on ${time}, with ${finishedRuns} of ${plannedRuns} runs finished`;
      return {
        kind: 'looked-early',
        text: `A report was made ${when}; stopping or changing after a look biases tests.`,
      };
    }),
  ];
}

type Run = DepartureInput['runs'][number];

const nameOf = ({ config }: Run) => `${config.arm.name}/${config.seed}`;
const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

function runsBesidePlan({ arms, seeds }: Plan, runs: readonly Run[]): Departure[] {
  const planned = seeds.flatMap((seed) => arms.map(({ name }) => `${name}/${seed}`));
  const found = runs.map(nameOf);
  const missing = planned.filter((name) => !found.includes(name));
  const added = found.filter((name) => !planned.includes(name));
  return [
    ...(missing.length === 0
      ? []
      : [
          {
            kind: 'runs-missing' as const,
            text: `${counted(missing.length, 'planned run')} did not finish: ${missing.join(', ')}.`,
          },
        ]),
    ...(added.length === 0
      ? []
      : [
          {
            kind: 'runs-added' as const,
            text: `${counted(added.length, 'run')} beyond the plan: ${added.join(', ')}.`,
          },
        ]),
  ];
}

function differences(plan: Plan, run: Run): Departure[] {
  const { config } = run;
  const arm = plan.arms.find(({ name }) => name === config.arm.name);
  const fields = [
    ...(arm ? changedFields(arm, config.arm, 'arm') : []),
    ...changedFields(plan.settings, config.settings, 'settings'),
    ...changedFields(plan.digests, config.digests, 'digests'),
  ];
  const early = config.started < plan.created;
  return [
    ...(fields.length === 0
      ? []
      : [
          {
            kind: 'run-differs' as const,
            text: `The run ${nameOf(run)} differs from the plan in ${fields.join(', ')}.`,
          },
        ]),
    ...(early
      ? [{ kind: 'run-before-plan' as const, text: `The run ${nameOf(run)} started before the plan was written.` }]
      : []),
  ];
}

/** Runs of one seed start from one model and answer the same prompts, and each run has the streams of its seed and arm. */
function wrongPairs({ arms }: Plan, runs: readonly Run[]): Departure[] {
  const first = new Map<number, Run>();
  return runs.flatMap((run): Departure[] => {
    const { arm, seed, streamSeed: stream, digests } = run.config;
    const other = first.get(seed) ?? run;
    first.set(seed, other);
    const different = (['model', 'heldOut'] as const).filter((name) => digests[name] !== other.config.digests[name]);
    const expected = streamSeed([...arms, arm], arm, seed);
    const texts = [
      ...different.map((name) => `The runs ${nameOf(run)} and ${nameOf(other)} have one seed, but another ${name}.`),
      ...(stream === expected ? [] : [`The run ${nameOf(run)} has the stream ${stream} in place of ${expected}.`]),
    ];
    return texts.map((text) => ({ kind: 'wrong-pairing', text }));
  });
}

function lessTraining({ arms }: Plan, runs: readonly Run[]): Departure[] {
  const means = (name: string) => {
    const costs = runs.filter(({ config }) => config.arm.name === name).map((run) => run.costs);
    const mean = (of: (cost: Run['costs']) => number) => costs.reduce((sum, cost) => sum + of(cost), 0) / costs.length;
    return { tokens: mean(({ trainedTokens }) => trainedTokens), steps: mean(({ steps }) => steps) };
  };
  const [baseline, ...others] = arms.map(({ name }) => ({ name, ...means(name) }));
  return others.flatMap(({ name, tokens, steps }): Departure[] => {
    const isLess = tokens < leastShare * baseline!.tokens || steps < baseline!.steps;
    if (!isLess) return [];
    const amounts = `${Math.round(tokens)} tokens in ${steps} steps per run, ${baseline!.name} on ${Math.round(baseline!.tokens)} in ${baseline!.steps}`;
    return [{ kind: 'fewer-tokens', text: `The arm ${name} trained on ${amounts}.` }];
  });
}
