import { readFile } from 'node:fs/promises';
import {
  checkInteger,
  checkNumber,
  checkOptions,
  startProgress,
  TrainingError,
  type WorkEvent,
  warn,
} from '@rarefy/core';
import { fileExists } from '@rarefy/io';
import type { Experiment } from '../experiment/experiment.js';
import { sharedDigests } from '../experiment/shared-settings.js';
import type { Plan } from '../plan/plan.js';
import { planOf, writePlan } from '../plan/plan-files.js';
import { writeDensities } from './densities.js';
import { evaluateHeldOut } from './evaluate-held-out.js';
import { experimentPaths, readCosts, runPaths, writeEvaluation } from './experiment-files.js';
import { openModels, type RunOptions, runOptionNames, trainRun } from './train-run.js';

/** One run that is missing. */
export interface MissingRun {
  readonly arm: string;
  readonly seed: number;
  /** Folder of the run. */
  readonly folder: string;
}

export interface PlanOptions {
  /** Folder of the experiment. */
  readonly folder: string;
  /** Digest of the code of the experiment; default: that of the text of its functions. */
  readonly code?: string | undefined;
  /** How to run it again, for the plan. */
  readonly command?: string | undefined;
  /** Why the plan differs from the one in the folder. Default: another plan is refused. */
  readonly acceptChanges?: string | undefined;
}

export interface RunExperimentOptions extends RunOptions, PlanOptions {
  /**
   * Trains one run, in another process, such as `childProcesses(…)`. It rejects if the run fails, or with the signal's reason.
   * Default: trains in this process, one run after another.
   */
  readonly startRun?: (run: MissingRun, options: { readonly signal: AbortSignal }) => Promise<void>;
  /** Most runs at once; default 1. More than 1 needs `startRun`. */
  readonly processes?: number;
  /** Memory of all runs that are going on, in bytes; default: not limited. */
  readonly memoryBytes?: number;
  /** Memory of a run. Default: the largest of the finished runs; the first run then goes alone. */
  readonly runBytes?: number;
}

const optionNames = [
  ...runOptionNames,
  ...([
    'startRun',
    'processes',
    'memoryBytes',
    'runBytes',
    'command',
    'acceptChanges',
  ] satisfies (keyof RunExperimentOptions)[]),
];

/**
 * Trains all runs of an experiment that its folder does not have yet: the plan first, then the densities and the answers of the
 * start model, then the runs, all arms of a seed before the next seed, so that arms stay balanced wherever it stops. Progress
 * counts optimizer steps of all runs (task `compare`). A run that fails does not stop the others.
 * @throws StateMismatchError if the folder has another plan; TrainingError naming the runs that failed, after all others; the
 *   signal's reason on abort, after all runs have stopped. The next call continues each run where it stopped.
 */
export async function runExperiment(experiment: Experiment, options: RunExperimentOptions): Promise<void> {
  const {
    startRun,
    processes = 1,
    memoryBytes,
    command,
    acceptChanges,
    runBytes,
    ...shared
  } = checkOptions(options, optionNames, 'runExperiment');
  const { folder, code, signal, onEvent } = shared;
  checkInteger('processes', processes, 1);
  for (const [name, value] of Object.entries({ memoryBytes, runBytes })) {
    if (value !== undefined) checkNumber(name, value, 1);
  }
  const runs = runsOf(experiment, folder);
  await ensurePlan(experiment, { folder, code, command, acceptChanges });
  const costs = await Promise.all(runs.map((run) => readCosts(run.folder)));
  await writeDensities(experiment, folder, { signal, onEvent });
  await writeStart(experiment, shared);

  const { steps } = experiment.training;
  const progress = startProgress('compare', runs.length * steps, onEvent);
  const watch = setInterval(() => void countSteps(runs).then(progress.report), 2000);
  watch.unref();
  const start =
    startRun ??
    ((run: MissingRun, { signal }: { readonly signal: AbortSignal }) =>
      trainRun(experiment, { ...shared, arm: run.arm, seed: run.seed, signal, onEvent: withoutProgress(onEvent) }));
  const stop = signal ?? new AbortController().signal;
  let peak = runBytes ?? largest(costs.map((cost) => cost?.peakBytes));
  const failed: [name: string, error: Error][] = [];
  const going = new Set<Promise<void>>();
  const finish = async (run: MissingRun) => {
    const name = `${run.arm}/${run.seed}`;
    try {
      await start(run, { signal: stop });
      const cost = await readCosts(run.folder);
      if (cost === undefined) throw new TrainingError(`it ended without ${runPaths.done(run.folder)}`);
      if (runBytes === undefined) peak = largest([peak, cost.peakBytes]);
      onEvent?.({ type: 'work-message', task: 'compare', message: `${name} finished` });
    } catch (error) {
      if (stop.aborted) return;
      failed.push([name, error as Error]);
      warn(onEvent, { task: 'compare', code: 'run-failed', message: `${name} failed: ${(error as Error).message}` });
    }
    progress.report(await countSteps(runs));
  };
  try {
    for (const [index, run] of runs.entries()) {
      if (costs[index] !== undefined) continue;
      while (going.size >= runsAtOnce({ processes: startRun ? processes : 1, memoryBytes, runBytes: peak })) {
        await Promise.race(going);
      }
      if (stop.aborted) break;
      const work: Promise<void> = finish(run).finally(() => going.delete(work));
      going.add(work);
    }
    await Promise.all(going);
  } finally {
    clearInterval(watch);
  }
  signal?.throwIfAborted();
  if (failed.length > 0) {
    const texts = failed.map(([name, error]) => `${name}: ${error.message}`);
    throw new TrainingError(`${failed.length} of ${runs.length} runs failed:\n${texts.join('\n')}`, {
      cause: failed[0]![1],
    });
  }
  progress.end();
}

/**
 * Writes the plan of an experiment, or checks that its folder holds the same plan. `runExperiment` begins with it.
 * @returns the plan of the folder
 * @throws StateMismatchError naming the fields that differ, unless the changes are accepted. Changes of the model, the prompts, the
 *   strata and the measures of rarity are always refused, since such runs cannot be compared.
 */
export async function ensurePlan(experiment: Experiment, options: PlanOptions): Promise<Plan> {
  const { folder, code, command, acceptChanges } = options;
  const costs = await Promise.all(runsOf(experiment, folder).map((run) => readCosts(run.folder)));
  const finishedRuns = costs.filter((cost) => cost !== undefined).length;
  const plan = planOf(experiment, { digests: await sharedDigests(experiment, code), command });
  return writePlan(folder, plan, { acceptChanges, finishedRuns });
}

/** All arms of the first seed, then of the next: wherever it stops, arms have about as many runs. */
function runsOf({ arms, seeds }: Experiment, folder: string): MissingRun[] {
  return seeds.flatMap((seed) =>
    arms.map(({ name: arm }) => ({ arm, seed, folder: experimentPaths.run(folder, arm, seed) })),
  );
}

/**
 * How many runs go on at once: as many as `processes`, and as fit into the memory, but at least one. One, while there is a limit of
 * memory and the memory of a run is not known.
 */
export function runsAtOnce({
  processes,
  memoryBytes,
  runBytes,
}: {
  readonly processes: number;
  readonly memoryBytes?: number | undefined;
  readonly runBytes?: number | undefined;
}): number {
  if (memoryBytes === undefined) return processes;
  if (runBytes === undefined) return 1;
  return Math.max(1, Math.min(processes, Math.floor(memoryBytes / runBytes)));
}

/** Lets the start model answer the held-out prompts, once for all runs. */
async function writeStart(experiment: Experiment, { folder, signal, onEvent }: RunOptions): Promise<void> {
  const path = experimentPaths.start(folder);
  if (await fileExists(path)) return;
  await using models = await openModels(experiment);
  const rewards = await experiment.rewards(models.start, {});
  const common = {
    step: 0,
    answers: experiment.evaluation.answers,
    seed: experiment.seeds[0]!,
    rewards,
    signal,
    onEvent,
  };
  await writeEvaluation(path, await evaluateHeldOut(experiment, models.start, common));
}

/** Lines that the logs of all runs have. */
async function countSteps(runs: readonly MissingRun[]): Promise<number> {
  const logs = await Promise.all(runs.map(({ folder }) => readFile(runPaths.metrics(folder), 'utf8').catch(() => '')));
  return logs.reduce((sum, log) => sum + log.split('\n').length - 1, 0);
}

function withoutProgress(onEvent: RunOptions['onEvent']): RunOptions['onEvent'] {
  const passed = ['work-warning', 'work-message'];
  return onEvent && ((event: WorkEvent) => passed.includes(event.type) && onEvent(event));
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
