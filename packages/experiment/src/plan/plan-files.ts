import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, InputError, LockedError, StateMismatchError } from '@rarefy/core';
import { fileExists, writeAtomically } from '@rarefy/io';
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

/** Differences that no report can mend: answers and densities of two such experiments cannot stand in one folder. */
const fixedFields = /^(digests\.(model|prompts|heldOut)|heldOut|strata|rarities|settings\.estimators(\..*)?)$/;

export interface WritePlanOptions {
  /** Why the plan differs from that of the folder. That one stays, and `departures.jsonl` gets a line. Default: it is refused. */
  readonly acceptChanges?: string | undefined;
  /** Finished runs of the folder, for that line; default 0. */
  readonly finishedRuns?: number;
}

/**
 * Writes `plan.json`, or checks that the folder holds the same plan. The time of creation and the command do not count.
 * @returns the plan of the folder
 * @throws StateMismatchError naming the fields that differ; also with `acceptChanges`, if the model, the prompts, the strata or how
 *   rarity is measured differ.
 */
export async function writePlan(folder: string, plan: Plan, options: WritePlanOptions = {}): Promise<Plan> {
  const { acceptChanges, finishedRuns = 0 } = options;
  const written = await readOrWrite(folder, plan);
  const fields = changesOf(written, plan);
  if (fields.length === 0) return written;
  checkSameData(folder, fields);
  if (acceptChanges === undefined) {
    throw new StateMismatchError(
      `${join(folder, planName)} is another plan: it differs in ${fields.join(', ')}. Choose another folder, or accept the changes with a reason, which the report then shows`,
    );
  }
  const last = (await readPlanChanges(folder)).at(-1);
  if (last?.fields.join() === fields.join() && last.reason === acceptChanges) return written;
  const change: PlanChange = { time: new Date().toISOString(), fields, reason: acceptChanges, finishedRuns };
  await appendLine(join(folder, changesName), change);
  return written;
}

/**
 * Writes the plan if the folder has none.
 * @throws StateMismatchError if that of the folder has another model, other prompts, strata or measures of rarity.
 */
export async function keepPlan(folder: string, plan: Plan): Promise<void> {
  checkSameData(folder, changesOf(await readOrWrite(folder, plan), plan));
}

async function readOrWrite(folder: string, plan: Plan): Promise<Plan> {
  const path = join(folder, planName);
  if (!(await fileExists(path))) {
    // Another process may write it at the same time: the first one stays.
    const beforeCommit = async () => {
      if (await fileExists(path)) throw new LockedError(path);
    };
    try {
      await writeAtomically(path, Buffer.from(`${JSON.stringify(plan, null, 2)}\n`), { beforeCommit });
    } catch (error) {
      if (!LockedError.isInstance(error)) throw error;
    }
  }
  return readPlan(folder);
}

function changesOf(written: Plan, plan: Plan): string[] {
  return changedFields(written, plan).filter((field) => field !== 'created' && field !== 'command');
}

function checkSameData(folder: string, fields: readonly string[]): void {
  const fixed = fields.filter((field) => fixedFields.test(field));
  if (fixed.length === 0) return;
  throw new StateMismatchError(
    `${folder} holds an experiment that differs in ${fixed.join(', ')}, so the two cannot be compared; choose another folder`,
  );
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
