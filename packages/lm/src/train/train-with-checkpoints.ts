import { join } from 'node:path';
import { type CallOptions, StateMismatchError, startProgress } from '@rarefy/core';
import { readSafetensors, toFloat32 } from '@rarefy/io';
import * as tf from '@tensorflow/tfjs-core';
import type { LoadedModel } from '../checkpoint/model-folder.js';
import { type AdamWOptions, adamW } from './adamw.js';
import { accumulateGradients } from './gradients.js';
import type { Schedule } from './schedule.js';
import { latestCheckpoint, loadTrainingState, saveTrainingCheckpoint } from './training-checkpoint.js';

/** Metrics of one step by name. NaN: not measured in this step. */
export type StepMetrics = Record<string, number>;

/** Where a run saves its checkpoints, and whether it resumes from them. */
export interface CheckpointOptions {
  /** Folder of the run; its checkpoints are in the folder `checkpoints`. */
  readonly folder: string;
  /** Steps between two checkpoints; default 50. The last step is always saved. */
  readonly saveSteps?: number;
  /** Number of newest checkpoints to keep; default 2. */
  readonly keep?: number;
  /** Whether to continue from the newest checkpoint, if there is one; default false. */
  readonly resume?: boolean;
}

/** Options of every trainer. */
export interface TrainingOptions extends CallOptions, AdamWOptions {
  /** Name of the work in events; default: the kind of training. */
  readonly task?: string;
  /** Number of steps of the whole run, including those before a resume. */
  readonly steps: number;
  /** Learning rate of a step as a share of `learningRate`; default: always 1. */
  readonly schedule?: Schedule;
  /** Default: nothing is saved. */
  readonly checkpoint?: CheckpointOptions;
  /** Called before the first step with the number of steps already done. */
  readonly onStart?: (done: number) => void | Promise<void>;
  /** Called after each step, before a checkpoint of it is saved. */
  readonly onStep?: (step: number, metrics: StepMetrics) => void;
}

/** One kind of training: what a step does, and what must be kept between steps. */
export interface TrainingTask {
  /** Name of the work in events. */
  readonly name: string;
  readonly loaded: Pick<LoadedModel, 'model' | 'tokenizer' | 'config'>;
  readonly parameters: Readonly<Record<string, tf.Variable>>;
  /** Weights to save with those of the model. */
  readonly extra?: () => Promise<LoadedModel['extra']>;
  /** Everything that decides the numbers of the run, as JSON. A run with other settings cannot resume from a checkpoint. */
  readonly settings: unknown;
  /**
   * Runs one step. Calls `update` with the losses of its micro-batches, once or more, and returns its metrics and the number of
   * tokens read. Only `update` changes weights. Nothing after the last update may fail for a reason outside the program.
   */
  step(
    step: number,
    update: (microBatches: Iterable<() => tf.Scalar>) => Promise<StepMetrics>,
  ): Promise<{ readonly metrics: StepMetrics; readonly tokens: number }>;
  /** What else a resumed run needs, as JSON: the state after the last finished step. */
  readonly state?: () => unknown;
  readonly restore?: (state: unknown) => void;
}

/** The content of `state` in a checkpoint. */
interface SavedRun {
  readonly settings: string;
  readonly tokens: number;
  readonly task: unknown;
}

/**
 * Runs the steps of a task with AdamW and saves checkpoints. Adds the metrics `num_tokens` (tokens read so far) and `step_time`
 * (seconds). A run that is killed at any point and resumed gives the same metrics (except times) and weights as an
 * uninterrupted one. On abort it saves the state after the last finished step and rejects with the signal's reason.
 * @throws StateMismatchError if the checkpoint belongs to a run with other settings; TrainingError if a loss is not finite.
 */
export async function trainWithCheckpoints(task: TrainingTask, options: TrainingOptions): Promise<void> {
  const { steps, schedule = () => 1, checkpoint, signal, onEvent, task: name = task.name } = options;
  const { saveSteps = 50 } = checkpoint ?? {};
  const folder = checkpoint && join(checkpoint.folder, 'checkpoints');
  const settings = JSON.stringify(task.settings);
  const optimizer = adamW(task.parameters, options);
  let done = 0;
  let tokens = 0;

  const resume = async (latest: string) => {
    const saved = await loadTrainingState(latest);
    const run = saved.state as SavedRun;
    if (run.settings !== settings) {
      throw new StateMismatchError(
        `${latest} belongs to a run with other settings: it has ${run.settings}, and this run has ${settings}; ` +
          'use the same settings, or another --out',
      );
    }
    await assignWeights(join(latest, 'model.safetensors'), task.parameters);
    optimizer.restore(saved.optimizer);
    task.restore?.(run.task);
    done = saved.step;
    tokens = run.tokens;
  };

  const save = async () => {
    if (!folder) return;
    const model = { ...task.loaded, ...(task.extra ? { extra: await task.extra() } : {}) };
    const state: SavedRun = { settings, tokens, task: task.state?.() ?? null };
    await saveTrainingCheckpoint(folder, model, { step: done, optimizer: optimizer.state(), state }, checkpoint?.keep);
  };

  try {
    const latest = folder && checkpoint.resume ? await latestCheckpoint(folder) : undefined;
    if (latest) await resume(latest);
    await options.onStart?.(done);
    const progress = startProgress(name, steps, onEvent);
    let savedAt = done;
    try {
      while (done < steps) {
        signal?.throwIfAborted();
        const started = performance.now();
        const learningRate = options.learningRate * schedule(done + 1, steps);
        const result = await task.step(done + 1, async (microBatches) => {
          const { loss, gradients } = await accumulateGradients(task.parameters, microBatches);
          const norm = optimizer.step(gradients, learningRate);
          tf.dispose(gradients);
          return { loss, grad_norm: norm, learning_rate: learningRate };
        });
        done++;
        tokens += result.tokens;
        const seconds = (performance.now() - started) / 1000;
        options.onStep?.(done, { ...result.metrics, num_tokens: tokens, step_time: seconds });
        progress.report(done);
        if (done % saveSteps === 0 || done === steps) {
          await save();
          savedAt = done;
        }
      }
    } catch (error) {
      // A step that is cut short changed nothing: weights change only at its end.
      if (signal?.aborted && done > savedAt) await save();
      throw error;
    }
    progress.end();
  } finally {
    optimizer.dispose();
  }
}

async function assignWeights(path: string, parameters: Readonly<Record<string, tf.Variable>>): Promise<void> {
  const { tensors } = await readSafetensors(path);
  for (const [name, variable] of Object.entries(parameters)) {
    const tensor = tensors.get(name);
    if (!tensor || tensor.shape.join() !== variable.shape.join())
      throw new StateMismatchError(`${path} has no '${name}' of shape ${variable.shape.join(' x ')}`);
    const values = tf.tensor(toFloat32(tensor), [...tensor.shape]);
    variable.assign(values);
    values.dispose();
  }
}
