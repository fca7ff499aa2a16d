import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, InputError, StateMismatchError } from '@rarefy/core';
import { writeAtomically } from '@rarefy/io';
import type { Experiment } from '../experiment/experiment.js';
import { asJson, sharedSettings } from '../experiment/shared-settings.js';
import type { Plan } from './plan.js';

/** A plan that was changed after it was written: a line of `departures.jsonl`. */
export interface PlanChange {
  readonly time: string;
  /** Names of the fields of the plan that differ. */
  readonly fields: readonly string[];
  readonly reason: string;
  readonly finishedRuns: number;
}

/** A report that was made before all planned runs were finished: a line of `looks.jsonl`. */
export interface Look {
  readonly time: string;
  readonly finishedRuns: number;
  readonly plannedRuns: number;
}

/** The plan of an experiment, with its time of creation now. */
export function planOf(
  experiment: Experiment,
  { digests, command }: Pick<Plan, 'digests'> & { readonly command?: string | undefined },
): Plan {
  const { name, hypothesis, arms, seeds, primary = 'distinct-good', secondary = [], alpha = 0.05 } = experiment;
  const { strata, heldOut, gates = {}, rarities } = experiment;
  return asJson({
    version: 1,
    ...{ name, hypothesis, created: new Date().toISOString(), arms, seeds },
    stopping: `after ${arms.length * seeds.length} runs: ${seeds.length} seeds of each of ${arms.length} arms`,
    ...{ primary, secondary, alpha, power: 0.8, strata },
    heldOut: heldOut.map(({ id, stratum }) => ({ id, stratum })),
    ...{ gates, rarities: Object.keys(rarities), settings: sharedSettings(experiment), digests },
    command: command ?? '',
  });
}

/**
 * Writes `plan.json`, or checks that the folder holds the same plan. The time of creation and the command do not count.
 * @param acceptChanges why the new plan differs: the old one then stays, and `departures.jsonl` gets a line
 * @param finishedRuns of the folder, for that line
 * @returns the plan of the folder
 * @throws StateMismatchError naming the fields that differ.
 */
export async function writePlan(
  folder: string,
  plan: Plan,
  {
    acceptChanges,
    finishedRuns = 0,
  }: { readonly acceptChanges?: string | undefined; readonly finishedRuns?: number } = {},
): Promise<Plan> {
  const written = await readPlan(folder).catch((error: unknown) => {
    if (InputError.isInstance(error)) return undefined;
    throw error;
  });
  if (written === undefined) {
    await writeAtomically(join(folder, planName), Buffer.from(`${JSON.stringify(plan, null, 2)}\n`));
    return plan;
  }
  const fields = changedFields(written, plan).filter((field) => field !== 'created' && field !== 'command');
  const known = (await readPlanChanges(folder)).at(-1)?.fields;
  if (fields.length === 0 || (acceptChanges !== undefined && known?.join() === fields.join())) return written;
  if (acceptChanges === undefined) {
    throw new StateMismatchError(
      `${join(folder, planName)} is another plan: it differs in ${fields.join(', ')}. Choose another folder, or accept the changes with a reason, which the report then shows`,
    );
  }
  const change: PlanChange = { time: new Date().toISOString(), fields, reason: acceptChanges, finishedRuns };
  await appendLine(join(folder, changesName), change);
  return written;
}

/** @throws InputError if there is no plan; CorruptFileError if it is damaged. */
export async function readPlan(folder: string): Promise<Plan> {
  const path = join(folder, planName);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`cannot read ${path}: ${folder} holds no experiment`, { cause });
  });
  try {
    return JSON.parse(text) as Plan;
  } catch (cause) {
    throw new CorruptFileError(`${path} is damaged; restore it`, { cause });
  }
}

/** Records that a report was made, if planned runs are missing. */
export async function recordLook(folder: string, finishedRuns: number, plannedRuns: number): Promise<void> {
  if (finishedRuns >= plannedRuns) return;
  const last = (await readLooks(folder)).at(-1);
  if (last?.finishedRuns === finishedRuns && last.plannedRuns === plannedRuns) return;
  await appendLine(join(folder, looksName), {
    time: new Date().toISOString(),
    finishedRuns,
    plannedRuns,
  } satisfies Look);
}

export const readLooks = (folder: string) => readLines<Look>(join(folder, looksName));
export const readPlanChanges = (folder: string) => readLines<PlanChange>(join(folder, changesName));

const planName = 'plan.json';
const looksName = 'looks.jsonl';
const changesName = 'departures.jsonl';

/** The fields whose values differ, as paths: `settings.training.steps`. A list is one value. */
export function changedFields(before: unknown, after: unknown, path = ''): string[] {
  const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isRecord(before) || !isRecord(after)) return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
  const [one, other] = [before, after] as Record<string, unknown>[];
  return [...new Set([...Object.keys(one!), ...Object.keys(other!)])].flatMap((name) =>
    changedFields(one![name], other![name], path === '' ? name : `${path}.${name}`),
  );
}

async function appendLine(path: string, value: object): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await appendFile(path, `${JSON.stringify(value)}\n`);
}

/** An empty list if there is no file. A last line that a crash cut off does not count. */
async function readLines<Value>(path: string): Promise<Value[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Value);
}
