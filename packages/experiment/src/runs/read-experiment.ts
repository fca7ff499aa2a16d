import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StateMismatchError } from '@rarefy/core';
import { readDraws } from '@rarefy/grpo';
import type { HeldOutPrompt } from '../experiment/experiment.js';
import type { Departure, Plan } from '../plan/plan.js';
import { readLooks, readPlan, readPlanChanges } from '../plan/plan-files.js';
import { departuresOf } from './departures.js';
import {
  experimentPaths,
  runPaths as paths,
  readCosts,
  readEvaluation,
  readJson,
  readLines,
  readValues,
} from './experiment-files.js';
import type { ExperimentRecord, RunConfig, RunRecord } from './run-record.js';

/** All that the folder of an experiment holds. */
export interface ReadExperiment {
  readonly plan: Plan;
  /** Finished runs only, in the order of the plan, and then those beyond it. */
  readonly record: ExperimentRecord;
  readonly heldOut: readonly HeldOutPrompt[];
  readonly departures: readonly Departure[];
}

/**
 * Reads the folder of an experiment. Needs no model.
 * @throws InputError if it has no plan, or a file of the start model or the densities is missing; CorruptFileError if a file is
 *   damaged; StateMismatchError if runs answered other held-out prompts than the others, which no comparison can mend.
 */
export async function readExperiment(folder: string): Promise<ReadExperiment> {
  const plan = await readPlan(folder);
  const heldOut = await readLines<HeldOutPrompt>(experimentPaths.heldOut(folder));
  const [first, ...others] = plan.settings.densities as readonly string[];
  const densities: Record<string, Float64Array> = {
    [first!]: await readValues(experimentPaths.density(folder, first!)),
  };
  const runs = await readRuns(folder, plan, densities[first!]!.length);
  const later = runs.flatMap(({ config }) => config.settings.densities as readonly string[]);
  for (const name of [...others, ...later]) {
    densities[name] ??= await readValues(experimentPaths.density(folder, name));
  }
  const commonness: Record<string, Float64Array> = {};
  for (const name of plan.rarities) commonness[name] = await readValues(experimentPaths.commonness(folder, name));
  const stranger = runs.find(({ config }) => config.digests.heldOut !== runs[0]!.config.digests.heldOut);
  if (stranger) {
    const { arm, seed } = stranger.config;
    throw new StateMismatchError(
      `the run ${arm.name}/${seed} answered other held-out prompts than ${runs[0]!.config.arm.name}/${runs[0]!.config.seed}, so they cannot be compared; remove one of the two folders`,
    );
  }
  return {
    plan,
    heldOut,
    record: {
      start: await readEvaluation(experimentPaths.start(folder), 0),
      runs,
      densities,
      heldOutDensity: await readValues(experimentPaths.heldOutDensity(folder)),
      commonness,
    },
    departures: departuresOf({
      plan,
      runs,
      looks: await readLooks(folder),
      changes: await readPlanChanges(folder),
    }),
  };
}

async function readRuns(folder: string, { arms, seeds }: Plan, prompts: number): Promise<RunRecord[]> {
  const names = arms.map(({ name }) => name);
  const found: RunRecord[] = [];
  for (const arm of await foldersIn(join(folder, 'runs'))) {
    for (const seed of await foldersIn(join(folder, 'runs', arm))) {
      const record = await readRun(join(folder, 'runs', arm, seed), prompts);
      if (record) found.push(record);
    }
  }
  const order = ({ config: { arm, seed } }: RunRecord) =>
    [placeOf(names, arm.name), placeOf(seeds, seed), seed] as const;
  return found.sort((a, b) => {
    const [one, other] = [order(a), order(b)];
    return one[0] - other[0] || one[1] - other[1] || one[2] - other[2];
  });
}

/** Undefined if the run is not finished. */
async function readRun(run: string, prompts: number): Promise<RunRecord | undefined> {
  const costs = await readCosts(run);
  const config = await readJson<RunConfig>(paths.config(run));
  if (costs === undefined || config === undefined) return undefined;
  const drawCounts = new Uint32Array(prompts);
  for (const position of (await readDraws(run)).positions) drawCounts[position]!++;
  const steps = (await readdir(paths.answers(run))).flatMap((name) => /^step-(\d+)\.jsonl$/.exec(name)?.[1] ?? []);
  const evaluations = [];
  for (const step of steps.map(Number).sort((a, b) => a - b)) {
    evaluations.push(await readEvaluation(paths.answersOf(run, step), step));
  }
  return { config, costs, drawCounts, evaluations, metrics: await readLines(paths.metrics(run)) };
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Index in the list; its length if the value is not there. */
function placeOf<Value>(list: readonly Value[], value: Value): number {
  const index = list.indexOf(value);
  return index < 0 ? list.length : index;
}
