import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, InvalidArgumentError, StateMismatchError, shown, TrainingError } from '@rarefy/core';
import { type CausalLanguageModel, loadWeights, saveLanguageModel } from '@rarefy/lm';
import type { StepMetrics } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs-core';
import { completionLogProbabilities } from './completion-log-probabilities.js';
import { completionBatch, type Rollout } from './rollout.js';
import type { RolloutPolicy, RolloutStep } from './rollout-source.js';
import type { WeightReload } from './weight-reloads.js';

const folderName = 'weights-of-step-';

/** How a server gets the weights of the policy. */
export interface WeightHandover {
  /** Where the policy is saved for the server, each time in a folder of its own; the server must be able to read it. */
  readonly folder: string;
  /** Makes the server load one of these folders, such as `vllmReload({ url })`. */
  readonly reload: WeightReload;
  /** Training steps from one handover to the next, an integer ≥ 1; default 1. */
  readonly everySteps?: number;
}

/** Names of {@link WeightHandover}. */
export const handoverNames = ['folder', 'reload', 'everySteps'] as const satisfies readonly (keyof WeightHandover)[];

interface ServedWeightsOptions {
  /** Address, for errors. */
  readonly url: string;
  readonly handover: WeightHandover | undefined;
  readonly maxStaleness: number;
  /** Largest mean difference of log-probabilities between the server and the policy. */
  readonly tolerance: number;
  /** The server's completions of a fixed prompt, with their log-probabilities. */
  readonly probe: (policy: RolloutPolicy, step: RolloutStep) => Promise<Rollout>;
}

/** Completions of the fixed prompt, with the log-probabilities of the policy: [completions][tokens] each. */
interface Probe {
  readonly ids: readonly (readonly number[])[];
  readonly logProbabilities: readonly (readonly number[])[];
}

/** Which weights the server has: the policy after `step` training steps. */
interface Served {
  readonly step: number;
  /** Only of a server that keeps its weights: the policy cannot be made to have them again. */
  readonly probe: Probe | null;
}

/**
 * Keeps track of the weights of a server: hands them over when they are due, checks that the server has them, and bounds their age.
 * After a resume, the server gets the weights that it had, so that the run goes on as if it had not stopped.
 */
export function servedWeights(options: ServedWeightsOptions) {
  const { url, handover, maxStaleness, tolerance, probe } = options;
  const everySteps = handover?.everySteps ?? Number.POSITIVE_INFINITY;
  const folderOf = (step: number) => join(handover!.folder, `${folderName}${step}`);
  let served: Served | undefined;
  let isRestored = false; // whether `served` comes from another process
  let named: number[] = []; // steps whose folder a checkpoint may need

  /** Compares the server to the policy, or to what the policy said when its weights were handed over. */
  async function compare(policy: RolloutPolicy, step: RolloutStep, known?: Probe) {
    const written = await probe(policy, step);
    const ids = written.completions.map((completion) => [...completion.ids]);
    const own = known ?? { ids, logProbabilities: logProbabilitiesOf(policy, written, step.temperature) };
    const difference = meanDifference(written, own);
    if (Number.isNaN(difference)) {
      throw new TrainingError(
        `${url} repeated none of its completions of a fixed prompt: it has other weights than before the resume, or ignores the seeds of requests, so that a run cannot be resumed`,
      );
    }
    if (difference > tolerance) {
      const hint = step.temperature === 1 || step.temperature === undefined ? '' : temperatureHint;
      throw new TrainingError(
        `${url} generates with other weights than the policy: the log-probabilities of its tokens differ by ${difference.toPrecision(3)} on average, above tolerance ${tolerance}. Check that it serves the model in training${handover ? ' and loads the folder that it is given' : ''}, without quantization${hint}`,
      );
    }
    return { own, difference };
  }

  async function handOver(policy: RolloutPolicy, done: number, call: CallOptions): Promise<void> {
    if (!handover) return;
    if (policy.model.adapter) {
      throw new InvalidArgumentError(
        'the weights of a model with an adapter cannot be handed over: its folder holds the adapter alone; train all weights, or generate in process',
      );
    }
    await saveLanguageModel(folderOf(done), policy);
    await handover.reload(folderOf(done), call);
    const kept = [done, ...named].map((step) => `${folderName}${step}`);
    for (const name of await readdir(handover.folder)) {
      if (!name.startsWith(folderName) || kept.includes(name)) continue;
      await rm(join(handover.folder, name), { recursive: true, force: true });
    }
  }

  return {
    async beforeStep(policy: RolloutPolicy, done: number, step: RolloutStep): Promise<StepMetrics> {
      const call = { signal: step.signal, onEvent: step.onEvent };
      if (done === 0) [served, named, isRestored] = [undefined, [], false]; // a new run
      if (!handover && step.steps - 1 > maxStaleness) {
        throw new InvalidArgumentError(
          `the server keeps its weights, and a run of ${step.steps} steps needs completions that are ${step.steps - 1} steps old, above maxStaleness ${maxStaleness}; give \`weights\` to hand over the policy, or raise maxStaleness`,
        );
      }
      let difference = Number.NaN;
      if (served === undefined || served.step === done || done - served.step >= everySteps) {
        await handOver(policy, done, call);
        const checked = await compare(policy, step);
        difference = checked.difference;
        served = { step: done, probe: handover ? null : checked.own };
      } else if (isRestored && handover) {
        const folder = folderOf(served.step);
        await access(join(folder, 'model.safetensors')).catch((cause) => {
          throw new StateMismatchError(
            `the server had the weights of step ${served?.step}, which should be in ${folder}; restore the folder, or start a new run`,
            { cause },
          );
        });
        await handover.reload(folder, call);
        ({ difference } = await withWeights(policy.model, folder, () => compare(policy, step)));
      } else if (isRestored) {
        ({ difference } = await compare(policy, step, served.probe!));
      }
      isRestored = false;
      return { 'rollout/staleness': done - served.step, 'rollout/weights_difference': difference };
    },

    state() {
      if (served) named = [...named, served.step].slice(-2); // the newest checkpoint, and the one before while it is written
      return served ?? null;
    },

    restore(state: unknown) {
      served = (state as Served | null) ?? undefined;
      named = served ? [served.step] : [];
      isRestored = true;
    },
  };
}

/** Runs `work` while the model has the weights of a folder. */
async function withWeights<Result>(
  model: CausalLanguageModel,
  folder: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const variables = Object.values({ ...model.frozen, ...model.parameters });
  const current = variables.map((variable) => tf.clone(variable));
  try {
    await loadWeights(model, folder);
    return await work();
  } finally {
    for (const [index, variable] of variables.entries()) variable.assign(current[index]!);
    tf.dispose(current);
  }
}

const temperatureHint =
  ', and reports log-probabilities after the temperature (vLLM: --logprobs-mode processed_logprobs); llama.cpp reports them only at temperature 1';

function logProbabilitiesOf({ model }: RolloutPolicy, written: Rollout, temperature = 1): number[][] {
  const values = tf.tidy(
    () => completionLogProbabilities(model, completionBatch(written), { temperature }).arraySync() as number[][],
  );
  return written.completions.map(({ ids }, row) => values[row]!.slice(0, ids.length));
}

/** Mean absolute difference over the tokens before the first one that differs; NaN if there is none. */
function meanDifference({ completions }: Rollout, { ids, logProbabilities }: Probe): number {
  const differences = completions.flatMap((completion, row) => {
    const known = ids[row] ?? [];
    const end = completion.ids.findIndex((id, index) => id !== known[index]);
    const values = [...completion.logProbabilities!].slice(0, end < 0 ? undefined : end);
    return values.map((value, index) => Math.abs(value - logProbabilities[row]![index]!));
  });
  const measured = differences.filter((difference) => !Number.isNaN(difference));
  return measured.reduce((sum, difference) => sum + difference, 0) / measured.length;
}

/** @throws InvalidArgumentError if the handover is not one. */
export function checkHandover({ folder, reload }: WeightHandover): void {
  if (typeof folder !== 'string' || folder === '') {
    throw new InvalidArgumentError(`weights.folder must be a path, got ${shown(folder)}`);
  }
  if (typeof reload !== 'function') {
    throw new InvalidArgumentError(
      `weights.reload must be a function, such as vllmReload({ url: 'http://localhost:8000' }), got ${shown(reload)}`,
    );
  }
}
