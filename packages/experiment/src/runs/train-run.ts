import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type CallOptions,
  callOptionNames,
  checkOptions,
  InvalidArgumentError,
  StateMismatchError,
} from '@rarefy/core';
import {
  completionDensity,
  focalDifficulty,
  grpoLoader,
  inverseProbability,
  type PolicyLoss,
  policyLosses,
  type Treatment,
  trainGrpo,
} from '@rarefy/grpo';
import { fileExists, lockFile } from '@rarefy/io';
import { type ChosenBackend, type LoadedModel, loadLanguageModel, snapshot } from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import { jsonlLogger } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs-core';
import type { Arm } from '../arms/arm.js';
import { armWeights } from '../arms/arm-weights.js';
import type { Experiment } from '../experiment/experiment.js';
import { asJson, densityName, sharedDigests, sharedSettings, streamSeed } from '../experiment/shared-settings.js';
import { changedFields, keepPlan, planOf } from '../plan/plan-files.js';
import { writeDensities } from './densities.js';
import { evaluateHeldOut } from './evaluate-held-out.js';
import {
  experimentPaths,
  runPaths as paths,
  readCosts,
  readJson,
  readLines,
  readValues,
  writeEvaluation,
  writeJson,
} from './experiment-files.js';
import type { RunConfig, RunCosts } from './run-record.js';

/** What all runs of an experiment are started with. */
export interface RunOptions extends CallOptions {
  /** Folder of the experiment. */
  readonly folder: string;
  /** Digest of the code of the experiment; default: that of the text of its functions. */
  readonly code?: string | undefined;
  /** What computes, for the record of the run; default: what tfjs says. */
  readonly backend?: Pick<ChosenBackend, 'name' | 'device'>;
  /** Versions for the record of the run, besides those of Node and tfjs. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Whether the checkpoints of a finished run stay; default false. */
  readonly keepModels?: boolean;
  /** Steps between two checkpoints; default 10. */
  readonly saveSteps?: number;
}

/** Names of {@link RunOptions}. */
export const runOptionNames = [
  ...callOptionNames,
  ...(['folder', 'code', 'backend', 'versions', 'keepModels', 'saveSteps'] satisfies (keyof RunOptions)[]),
];

export interface TrainRunOptions extends RunOptions {
  /** Name of the arm. */
  readonly arm: string;
  readonly seed: number;
}

/**
 * Trains one run of an experiment in this process, in the folder `runs/ARM/SEED`, and lets the policy answer the held-out prompts.
 * Continues an unfinished run from its last checkpoint, and does nothing if the run is finished. A run that is killed at any point
 * and continued gives the same draws and answers as an uninterrupted one. Writes the plan first if the folder has none.
 * @returns what the run cost, all attempts together
 * @throws InvalidArgumentError if the experiment has no such arm or seed; LockedError if another process trains this run;
 *   StateMismatchError if the folder has a run with other settings; what `trainGrpo` throws; the signal's reason on abort.
 */
export async function trainRun(experiment: Experiment, options: TrainRunOptions): Promise<RunCosts> {
  const { folder, seed, keepModels = false } = checkOptions(options, [...runOptionNames, 'arm', 'seed'], 'trainRun');
  const arm = experiment.arms.find(({ name }) => name === options.arm);
  if (arm === undefined || !experiment.seeds.includes(seed)) {
    const known = `arms ${experiment.arms.map(({ name }) => name).join(', ')} and seeds ${experiment.seeds.join(', ')}`;
    throw new InvalidArgumentError(`the experiment has no run ${options.arm}/${seed}; it has the ${known}`);
  }
  const run = experimentPaths.run(folder, arm.name, seed);
  const finished = async () => {
    const costs = await readCosts(run);
    if (costs && !keepModels) await rm(join(run, 'checkpoints'), { recursive: true, force: true });
    return costs;
  };
  const known = await finished();
  if (known) return known;
  await mkdir(run, { recursive: true });
  const lock = await lockFile(paths.lock(run));
  try {
    return (await finished()) ?? (await trainLocked(experiment, { ...options, arm, run }));
  } finally {
    await lock.release();
  }
}

interface LockedRunOptions extends Omit<TrainRunOptions, 'arm'> {
  readonly arm: Arm;
  /** Folder of the run. */
  readonly run: string;
}

async function trainLocked(experiment: Experiment, options: LockedRunOptions): Promise<RunCosts> {
  const { folder, run, arm, signal, onEvent, keepModels = false, saveSteps = 10 } = options;
  const { training, evaluation, prompts } = experiment;
  const { batchSize = 32, groupSize = 8, loss, ...trainer } = training;
  const spent = await spentTime(run);
  const digests = await sharedDigests(experiment, options.code);
  await keepPlan(folder, planOf(experiment, { digests }));
  await writeDensities(experiment, folder, { signal, onEvent });
  const config = await writeConfig(experiment, options, digests);
  const density = await readValues(experimentPaths.density(folder, densityName(experiment, arm)));
  const seed = config.streamSeed;
  const { weights, importance, target } = armWeights(arm, density, {
    ...(experiment.weighting && { weighting: experiment.weighting }),
    seed,
  });
  const loader = grpoLoader(prompts, {
    sampler: weightedSampler(weights, { seed }),
    ...{ batchSize, groupSize, importance, ...(target && { target }) },
  });

  await using models = await openModels(experiment);
  const { policy, start } = models;
  const rewards = await experiment.rewards(start, { ...(arm.rewardModel && { rewardModel: arm.rewardModel }) });
  await using treated = await openTreatments(experiment, arm);
  const armLoss = lossOf(arm, loss);
  const evaluate = async (step: number, answers: number) => {
    const path = paths.answersOf(run, step);
    if (await fileExists(path)) return;
    const common = { step, answers, seed, rewards, start: start.model, signal, onEvent };
    await writeEvaluation(path, await evaluateHeldOut(experiment, policy, common));
  };

  const { every } = evaluation;
  await trainGrpo(policy, loader, {
    ...trainer,
    ...{ rewards, seed, signal, onEvent, densities: density, treatments: treated.treatments },
    ...(armLoss && { loss: armLoss, ...(armLoss.usesReference && { reference: start.model }) }),
    task: `${arm.name}/${options.seed}`,
    checkpoint: { folder: run, saveSteps, keep: 1, resume: true },
    loggers: (done) => [jsonlLogger(paths.metrics(run), { truncateAfterStep: done })],
    ...(every !== undefined && {
      evalSteps: every,
      evaluate: async (step: number) => {
        if (step < training.steps) await evaluate(step, evaluation.answersDuring ?? 2);
        return {};
      },
    }),
    onStep: () => spent.save(),
  });
  await evaluate(training.steps, evaluation.answers);

  const lengths = await readLines<Readonly<Record<string, number>>>(paths.metrics(run));
  const completions = batchSize * groupSize;
  const costs: RunCosts = {
    finished: new Date().toISOString(),
    steps: training.steps,
    ...spent.total(),
    peakBytes: process.resourceUsage().maxRSS * 1024,
    trainedTokens: Math.round(lengths.reduce((sum, line) => sum + line['completions/mean_length']! * completions, 0)),
  };
  await writeJson(paths.done(run), costs);
  if (!keepModels) await rm(join(run, 'checkpoints'), { recursive: true, force: true });
  return costs;
}

/** Writes `run.json`, or checks that the run which continues is the same. */
async function writeConfig(
  experiment: Experiment,
  options: LockedRunOptions,
  digests: RunConfig['digests'],
): Promise<RunConfig> {
  const { arm, seed, run, backend = defaultBackend() } = options;
  const config: RunConfig = asJson({
    version: 1,
    ...{ arm, seed, streamSeed: streamSeed(experiment.arms, arm, seed) },
    settings: sharedSettings(experiment),
    digests,
    backend: { name: backend.name, device: backend.device },
    versions: { node: process.versions.node, tfjs: tf.version_core, ...options.versions },
    started: new Date().toISOString(),
  });
  const path = paths.config(run);
  const begun = await readJson<RunConfig>(path);
  if (begun === undefined) {
    await writeJson(path, config);
    return config;
  }
  const decisive = ({ arm, seed, streamSeed, settings, digests, backend }: RunConfig) => ({
    ...{ arm, seed, streamSeed, settings, digests, backend },
  });
  const fields = changedFields(decisive(begun), decisive(config));
  if (fields.length === 0) return begun;
  throw new StateMismatchError(
    `${dirname(path)} holds an unfinished run with other settings: ${fields.join(', ')}. Remove the folder to train it anew, or go back to those settings`,
  );
}

function defaultBackend() {
  return { name: tf.getBackend(), device: 'cpu' };
}

/** The policy, and a frozen copy of it as it starts. */
export async function openModels(experiment: Experiment) {
  const policy = await loadLanguageModel(experiment.model);
  const frozen = snapshot(policy.model);
  const start: LoadedModel = { ...policy, model: frozen };
  return {
    policy,
    start,
    async [Symbol.asyncDispose]() {
      frozen.dispose();
      policy.model.dispose();
    },
  };
}

/** The loss of the experiment, with the entropy bonus of the arm. Undefined: the default of the trainer. */
function lossOf({ entropyCoef }: Arm, loss: PolicyLoss | undefined): PolicyLoss | undefined {
  if (entropyCoef === undefined) return loss;
  const name = (loss?.name ?? 'dapo') as keyof typeof policyLosses;
  return (policyLosses[name] as (options: object) => PolicyLoss)({ ...loss?.settings, entropyCoef });
}

async function openTreatments({ outcome, answerEmbedder }: Experiment, { treatment }: Arm) {
  const embedder = treatment?.kind === 'completion-density' ? await answerEmbedder!() : undefined;
  const treatments: Treatment[] = [];
  if (treatment?.kind === 'focal-difficulty') {
    const { kind: _, ...options } = treatment;
    treatments.push(focalDifficulty(options));
  } else if (treatment?.kind === 'inverse-probability') {
    const { kind: _, ...options } = treatment;
    treatments.push(inverseProbability({ ...options, outcome: ({ prompt, text }) => outcome!(prompt, text) }));
  } else if (treatment?.kind === 'completion-density') {
    const { kind: _, ...options } = treatment;
    treatments.push(completionDensity({ ...options, embedder: embedder! }));
  }
  return {
    treatments,
    async [Symbol.asyncDispose]() {
      await embedder?.[Symbol.asyncDispose]();
    },
  };
}

/** CPU and wall time of all attempts: what earlier ones left in the folder, and that of this one. */
async function spentTime(run: string) {
  const path = paths.spent(run);
  const before = (await readJson<Pick<RunCosts, 'cpuSeconds' | 'wallSeconds'>>(path)) ?? {
    cpuSeconds: 0,
    wallSeconds: 0,
  };
  const cpu = process.cpuUsage();
  const wall = performance.now();
  const total = () => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      cpuSeconds: before.cpuSeconds + (user + system) / 1e6,
      wallSeconds: before.wallSeconds + (performance.now() - wall) / 1000,
    };
  };
  return { total, save: () => writeJson(path, total()) };
}
