import { join } from 'node:path';
import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkOptions,
  InputError,
  InvalidArgumentError,
  type MetricLogger,
  StateMismatchError,
  shown,
  startProgress,
  TrainingError,
  timeSlices,
} from '@rarefy/core';
import {
  assignFile,
  assignWeights,
  checkpointsName,
  type LoadedModel,
  type SavedModel,
  weightsDigest,
} from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { type AdamWOptions, adamW, adamWOptionNames, adamWSettings } from '../optimizer/adamw.js';
import { accumulateGradients } from '../optimizer/gradients.js';
import type { Schedule } from '../optimizer/schedule.js';
import { bestWeights } from './best-weights.js';
import { changedSettings, type RunSettings, scheduledRates, scheduleSetting } from './run-settings.js';
import { latestCheckpoint, loadTrainingState, saveTrainingCheckpoint, stepFolder } from './training-checkpoint.js';

/** Metrics of one step by name. NaN: not measured in this step. */
export type StepMetrics = Record<string, number>;

/** Where a run saves its checkpoints, and whether it resumes from them. */
export interface CheckpointOptions {
  /** Folder of the run; its checkpoints are in the folder `checkpoints`. A new run needs a folder without checkpoints. */
  readonly folder: string;
  /** Steps between two checkpoints; default 50. The last step is always saved. */
  readonly saveSteps?: number;
  /** Number of newest checkpoints to keep, besides that of the best evaluation; default 2. */
  readonly keep?: number;
  /** Whether to continue from the newest checkpoint, if there is one; default false. */
  readonly resume?: boolean;
}

/** Measures a model after a step. */
export type Evaluate = (step: number, options: CallOptions) => StepMetrics | Promise<StepMetrics>;

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
  /** Called after each step and its loggers, before a checkpoint of it is saved. A promise that it returns is awaited. */
  readonly onStep?: (step: number, metrics: StepMetrics) => unknown;
  /**
   * Measures the model after every `evalSteps`-th step, without changing it. The metrics become those of the step, each with the
   * prefix `eval_`: loggers, `onStep` and a checkpoint of the step come after it. Its time is not part of `step_time`.
   */
  readonly evaluate?: Evaluate;
  /** Steps between two evaluations; default 50. Needs `evaluate`. */
  readonly evalSteps?: number;
  /**
   * Receive the metrics of each step, in order, and are closed after the run. The function form gets the number of steps already
   * done: `(done) => [jsonlLogger(path, { truncateAfterStep: done })]`. Each call is awaited, and a failure stops the run.
   */
  readonly loggers?: readonly MetricLogger[] | ((done: number) => readonly MetricLogger[]);
}

/** Names of {@link TrainingOptions}, for `checkOptions` in trainers whose options extend them. */
export const trainingOptionNames = [
  ...callOptionNames,
  ...adamWOptionNames,
  'task',
  'steps',
  'schedule',
  'checkpoint',
  'onStart',
  'onStep',
  'evaluate',
  'evalSteps',
  'loggers',
] as const satisfies readonly (keyof TrainingOptions)[];

const checkpointNames = [
  'folder',
  'saveSteps',
  'keep',
  'resume',
] as const satisfies readonly (keyof CheckpointOptions)[];

/** What a trainer says about the weights after a step, for example after an evaluation. */
export interface StepReview {
  /** Added to the metrics of the step. */
  readonly metrics: StepMetrics;
  /** Whether these weights are the best so far. They are kept, and the model has the best ones after the run. */
  readonly isBest?: boolean;
  /** Whether the run ends with this step. */
  readonly isLast?: boolean;
}

/** One kind of training: what a step does, and what must be kept between steps. */
export interface TrainingTask {
  /** Name of the work in events. */
  readonly name: string;
  readonly loaded: Omit<SavedModel, 'extra'>;
  readonly parameters: Readonly<Record<string, tf.Variable>>;
  /** Weights to save with those of the model. */
  readonly extra?: () => Promise<LoadedModel['extra']>;
  /**
   * Further weights that change during the run, by the name of their file in a checkpoint, without `.safetensors`. A resumed run
   * gets them back. They are in no model folder.
   */
  readonly besides?: Readonly<Record<string, Readonly<Record<string, tf.Variable>>>>;
  /**
   * What decides the numbers of the run besides the options that {@link trainWithCheckpoints} uses itself (those of AdamW and the
   * schedule), and the digest of its data. A run with other settings cannot resume from a checkpoint.
   */
  readonly settings: RunSettings;
  /**
   * Runs one step. Calls `update` with the losses of its micro-batches, once or more, and returns its metrics and the number of
   * tokens read. Only `update` changes weights. Nothing after the last update may fail for a reason outside the program.
   */
  step(
    step: number,
    update: (microBatches: Iterable<() => tf.Scalar>) => Promise<StepMetrics>,
  ): Promise<{ readonly metrics: StepMetrics; readonly tokens: number }>;
  /**
   * Called after each step, before its metrics are logged. Changes no weights. It may fail or be aborted: the step counts as
   * finished, and a resumed run begins with its review, also if a logger failed after the review.
   */
  readonly review?: (step: number) => Promise<StepReview>;
  /** Called before the first step, after a restore, with the number of steps that changed the weights. */
  readonly start?: (done: number) => void | Promise<void>;
  /** What else a resumed run needs, as JSON: the state after the last finished step. */
  readonly state?: () => unknown;
  readonly restore?: (state: unknown) => void;
}

/** The content of `state` in a checkpoint. */
interface SavedRun {
  readonly settings: RunSettings;
  readonly steps: number;
  readonly tokens: number;
  readonly task: unknown;
  /** The best step by the reviews. */
  readonly best?: number;
  /** Whether a review has ended the run. */
  readonly isEnded?: boolean;
  /** Metrics of the last step, if it has no review yet; null for NaN. */
  readonly unreviewed?: Readonly<Record<string, number | null>>;
  /**
   * Metrics of the last step if its evaluation or a logger was cut short, which a resumed run makes up for. Numbers that are not
   * finite as text, because JSON has none.
   */
  readonly unlogged?: Readonly<Record<string, number | string>>;
}

/** What a run has done. */
export interface TrainingRun {
  /** Steps done, including those before a resume. Fewer than `steps` only if a review has ended the run. */
  readonly steps: number;
  /** The step whose weights the model has, if that is not the last one. */
  readonly best?: number;
}

/**
 * Runs the steps of a task with AdamW and saves checkpoints. Adds the metrics `num_tokens` (tokens read so far) and `step_time`
 * (seconds). A run that is killed at any point and resumed gives the same metrics (except times) and weights as an
 * uninterrupted one. If it is aborted or fails, it saves the state after the last finished step before it rejects, so that nothing
 * is lost; the warning `checkpoint-not-saved` says if that was not possible. If an evaluation or a logger is what was cut short,
 * the resumed run begins with it, and no evaluation is repeated.
 * @param options those of a trainer, which has checked their names; other names are ignored
 * @throws InputError if the folder already holds a run and `resume` is not set; StateMismatchError if the checkpoint belongs to a
 *   run with other settings; TrainingError if a loss is not finite or a logger fails; InvalidArgumentError if an option is out of
 *   range.
 */
export async function trainWithCheckpoints(task: TrainingTask, options: TrainingOptions): Promise<TrainingRun> {
  checkTraining(options);
  const { steps, schedule = () => 1, checkpoint, evalSteps = 50, signal, onEvent, task: name = task.name } = options;
  const { saveSteps = 50 } = checkpoint ?? {};
  const folder = checkpoint && join(checkpoint.folder, checkpointsName);
  const adamWOptions = Object.fromEntries(adamWOptionNames.map((option) => [option, options[option]]));
  const adamWValues = adamWSettings(adamWOptions as Pick<typeof options, keyof AdamWOptions>);
  const { adapter, frozen } = task.loaded.model;
  // A checkpoint of an adapter does not hold the weights of its base.
  const lora = adapter && {
    ...{ rank: adapter.rank, alpha: adapter.alpha, targets: adapter.targets },
    base: folder && (await weightsDigest(adapter.base)),
  };
  const optimizer = adamW(task.parameters, adamWValues);
  const settingsOf = (runSteps: number): RunSettings => ({
    ...task.settings,
    ...(lora && { lora }),
    ...adamWValues,
    maxGradNorm: Number.isFinite(adamWValues.maxGradNorm) ? adamWValues.maxGradNorm : undefined, // JSON has no infinity
    schedule: scheduleSetting(schedule, runSteps),
  });
  const weights = { ...(adapter ? {} : frozen), ...task.parameters };
  const best = bestWeights(weights, folder === undefined ? undefined : (step) => join(folder, stepFolder(step)));
  let loggers: readonly MetricLogger[] = [];
  let done = 0;
  let tokens = 0;
  let isEnded = false;
  let unlogged: StepMetrics | undefined; // metrics of step `done` that are not evaluated and logged yet

  const resume = async (latest: string) => {
    const saved = await loadTrainingState(latest);
    const run = saved.state as SavedRun;
    const changes = changedSettings(run.settings, settingsOf(run.steps));
    const rates = [run.steps, steps].map((all) => scheduledRates(schedule, saved.step, all).join());
    if (rates[0] !== rates[1])
      changes.push(`steps was ${run.steps} and is now ${steps}, and the schedule depends on it`);
    if (changes.length > 0) {
      throw new StateMismatchError(
        `${latest} belongs to a run with other settings: ${changes.join('; ')}. Use the same, or another checkpoint.folder`,
      );
    }
    await assignWeights(latest, weights);
    for (const [file, variables] of Object.entries(task.besides ?? {})) {
      await assignFile(join(latest, `${file}.safetensors`), variables);
    }
    optimizer.restore(saved.optimizer);
    task.restore?.(run.task);
    done = saved.step;
    tokens = run.tokens;
    best.resume(run.best);
    isEnded = run.isEnded ?? false;
    unlogged = run.unlogged && mapNumbers(run.unlogged, Number);
  };

  /** Evaluates, reviews and logs the metrics of step `done`. */
  const logStep = async (metrics: StepMetrics) => {
    unlogged = metrics;
    const isDue = options.evaluate && done % evalSteps === 0;
    const evaluated = isDue ? evaluationMetrics(await options.evaluate!(done, { signal, onEvent })) : {};
    const review = await task.review?.(done);
    isEnded = review?.isLast ?? false;
    if (review?.isBest) best.keep(done);
    const all = { ...metrics, ...evaluated, ...review?.metrics };
    await eachLogger(loggers, `failed at step ${done}`, (logger) => logger.log(done, all));
    unlogged = undefined;
    await options.onStep?.(done, all);
  };

  const save = async () => {
    if (!folder) return;
    const model = { ...task.loaded, ...(task.extra ? { extra: await task.extra() } : {}) };
    const state: SavedRun = {
      ...{ settings: settingsOf(steps), steps, tokens, task: task.state?.() ?? null },
      ...(best.step !== undefined && { best: best.step }),
      ...(isEnded && { isEnded }),
      ...(unlogged && {
        unlogged: mapNumbers(unlogged, (value) => (Number.isFinite(value) ? value : String(value))),
      }),
    };
    const kept = { keep: checkpoint?.keep, best: best.step };
    const saved = { step: done, optimizer: optimizer.state(), besides: task.besides ?? {}, state };
    await saveTrainingCheckpoint(folder, model, saved, kept);
  };

  try {
    const latest = folder && (await latestCheckpoint(folder));
    if (latest && !checkpoint.resume) {
      throw new InputError(
        `${checkpoint.folder} already holds a run; continue it with checkpoint.resume, or choose another checkpoint.folder`,
      );
    }
    if (latest) await resume(latest);
    const logged = unlogged ? done - 1 : done;
    await task.start?.(done);
    await options.onStart?.(logged);
    loggers = typeof options.loggers === 'function' ? checkLoggers(options.loggers(logged)) : (options.loggers ?? []);
    const progress = startProgress(name, steps, onEvent);
    const slices = timeSlices(undefined);
    let saved = { done, isLogged: !unlogged };
    let isUpdated = false; // by the step that is running
    try {
      if (unlogged) {
        await logStep(unlogged);
        await save();
        saved = { done, isLogged: true };
      }
      while (done < steps && !isEnded) {
        if (slices.due()) await slices.pause(); // lets an abort arrive: steps on tfjs-node wait for nothing
        signal?.throwIfAborted();
        const started = performance.now();
        const learningRate = options.learningRate * schedule(done + 1, steps);
        const result = await task.step(done + 1, async (microBatches) => {
          const { loss, gradients } = await accumulateGradients(task.parameters, microBatches);
          const norm = optimizer.step(gradients, learningRate);
          isUpdated = true;
          tf.dispose(gradients);
          return { loss, grad_norm: norm, learning_rate: learningRate };
        });
        done++;
        isUpdated = false;
        tokens += result.tokens;
        const seconds = (performance.now() - started) / 1000;
        await logStep({ ...result.metrics, num_tokens: tokens, step_time: seconds });
        progress.report(done);
        if (done % saveSteps === 0 || done === steps || isEnded || best.step === done) {
          await save();
          saved = { done, isLogged: true };
        }
      }
      await best.restore(done);
    } catch (error) {
      if (done > saved.done || (!unlogged && !saved.isLogged)) {
        // A step that failed between two updates leaves weights that belong to no finished step.
        const saving = isUpdated ? Promise.reject(new Error('the step had already changed the weights')) : save();
        await saving.catch((cause: Error) => {
          const message = `the state after step ${done} is not saved: ${cause.message}`;
          onEvent?.({ type: 'work-warning', task: name, code: 'checkpoint-not-saved', message });
        });
      }
      throw error;
    }
    progress.end(done);
    const open = loggers;
    loggers = [];
    await eachLogger(open, 'failed to close', (logger) => logger.close());
    return { steps: done, ...(best.step !== undefined && best.step !== done && { best: best.step }) };
  } finally {
    optimizer.dispose();
    best.dispose();
    await Promise.allSettled(loggers.map(async (logger) => logger.close())); // the error of the run is the one to report
  }
}

/** @throws TrainingError if `evaluate` returned something else than numbers by name. */
function evaluationMetrics(evaluated: unknown): StepMetrics {
  if (typeof evaluated !== 'object' || evaluated === null || Array.isArray(evaluated)) {
    throw new TrainingError(`evaluate returned ${shown(evaluated)}; return numbers by name, as in { reward: 0.5 }`);
  }
  for (const [name, value] of Object.entries(evaluated)) {
    if (typeof value === 'number') continue;
    throw new TrainingError(`evaluate returned ${shown(value)} for ${name}; metrics must be numbers`);
  }
  return Object.fromEntries(Object.entries(evaluated).map(([name, value]) => [`eval_${name}`, value as number]));
}

function mapNumbers<Value, Result>(values: Readonly<Record<string, Value>>, map: (value: Value) => Result) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}

/** Calls the loggers one after another. @throws TrainingError naming the one that fails. */
async function eachLogger(
  loggers: readonly MetricLogger[],
  failed: string,
  call: (logger: MetricLogger) => void | Promise<void>,
): Promise<void> {
  for (const [index, logger] of loggers.entries()) {
    try {
      await call(logger);
    } catch (cause) {
      const name = logger.name === undefined ? `loggers[${index}]` : `the logger '${logger.name}'`;
      throw new TrainingError(`${name} ${failed}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }
}

function checkTraining(options: TrainingOptions): void {
  const { steps, checkpoint, loggers = [], schedule, onStart, onStep, evaluate, evalSteps } = options;
  checkInteger('steps', steps, 0);
  for (const [name, call] of Object.entries({ schedule, onStart, onStep, evaluate })) {
    if (call === undefined || typeof call === 'function') continue;
    const hint = name === 'schedule' ? ", such as learningRateSchedule('cosine')" : '';
    throw new InvalidArgumentError(`${name} must be a function${hint}, got ${shown(call)}`);
  }
  if (evalSteps !== undefined) {
    checkInteger('evalSteps', evalSteps, 1);
    if (!evaluate) throw new InvalidArgumentError('evalSteps needs a function `evaluate`; give it, or drop evalSteps');
  }
  checkOptions(checkpoint, checkpointNames, 'checkpoint');
  if (checkpoint?.saveSteps !== undefined) checkInteger('checkpoint.saveSteps', checkpoint.saveSteps, 1);
  if (checkpoint?.keep !== undefined) checkInteger('checkpoint.keep', checkpoint.keep, 1);
  if (checkpoint !== undefined && typeof checkpoint.folder !== 'string') {
    throw new InvalidArgumentError(`checkpoint.folder must be a path, got ${shown(checkpoint.folder)}`);
  }
  if (typeof loggers !== 'function') checkLoggers(loggers);
}

function checkLoggers(loggers: readonly MetricLogger[]): readonly MetricLogger[] {
  if (!Array.isArray(loggers)) {
    throw new InvalidArgumentError('loggers must be an array of loggers, or a function that returns one');
  }
  const bad = loggers.findIndex((logger) => typeof logger?.log !== 'function' || typeof logger.close !== 'function');
  if (bad < 0) return loggers;
  throw new InvalidArgumentError(
    `loggers[${bad}] must be a logger with the functions log and close, got ${shown(loggers[bad])}`,
  );
}
