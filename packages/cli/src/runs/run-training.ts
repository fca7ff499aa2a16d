import { join } from 'node:path';
import { type CallOptions, InputError } from '@rarefy/core';
import type { ChosenBackend, LoadedModel } from '@rarefy/lm';
import type { FileLoggerOptions, TrainingOptions } from '@rarefy/training';
import { backendOption, openBackend } from '../open/backend.js';
import { choice, flag, integer, text } from '../shell/define-option.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';

/** Options of every `rarefy train` command. */
export const trainOptions = {
  ...under('Data', {
    pairs: text('file', 'JSON Lines of pairs, gzip or plain', { required: true }),
  }),
  ...under('Model', backendOption),
  ...under('Training', {
    'max-steps': integer('Steps of the whole run', { default: 100, min: 1 }),
    seed: integer('The same seed, data and backend give the same run', { default: 0 }),
  }),
  ...under('Output', {
    'save-steps': integer('Steps between two checkpoints', { default: 50, min: 1 }),
    'save-total-limit': integer('Number of newest checkpoints to keep', { default: 2, min: 1 }),
    'report-to': choice(['tensorboard'], 'Write the metrics to tensorboard/ too, as event files'),
    resume: flag('Continue from the newest checkpoint in --out'),
  }),
} as const satisfies OptionDefinitions;

/** Where a stage writes its run, by default below `out`. */
export function outOption(stage: string) {
  return under('Output', {
    out: text('folder', 'Folder of the run', { default: `out/${stage}` }),
  } as const satisfies OptionDefinitions);
}

export const modelOption = under('Model', {
  model: text(
    'base|sft|path',
    'Model to start from; default out/sft, out/base, or the small model that comes with rarefy',
  ),
} as const satisfies OptionDefinitions);

/** What `runTraining` needs of a stage's options. */
export type RunValues = Pick<OptionValues<typeof trainOptions>, 'resume' | 'saveSteps' | 'backend'> &
  Partial<Pick<OptionValues<typeof trainOptions>, 'saveTotalLimit' | 'reportTo'>> & { readonly out: string };

/** A stage that is ready to train. */
export interface OpenStage {
  /** The model that is trained; the run's folder gets its final weights. */
  readonly loaded: Pick<LoadedModel, 'model' | 'tokenizer' | 'config'>;
  /** Weights to save besides the model's. */
  readonly extra?: () => Promise<LoadedModel['extra']>;
  /** Written to `run.json` for people. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Settings that a resumed run must share, besides those that its trainer checks. Written to `run.json`. */
  readonly fixed?: Readonly<Record<string, unknown>>;
  /** Frees the models. */
  dispose(): void | Promise<void>;
}

/** Options for the trainer of a stage: checkpoints, metrics, abort and progress. */
export type TrainerOptions = CallOptions &
  Required<Pick<TrainingOptions, 'checkpoint' | 'onStart' | 'onStep' | 'loggers'>>;

export interface TrainingStage<Stage extends OpenStage, Result> {
  /** Name of the work in events. */
  readonly stage: string;
  readonly values: RunValues;
  /** Metrics that are reported while the run goes on. */
  readonly shown: readonly string[];
  /** A backend that is open already; default the one of `values`. */
  readonly backend?: ChosenBackend;
  /** Loads models and data. `isContinued`: the run goes on from a checkpoint. */
  open(isContinued: boolean): Promise<Stage>;
  /** Trains. */
  task(opened: Stage, trainer: TrainerOptions): Promise<Result>;
}

const messageEveryMs = 10_000;

/**
 * Runs one stage of training in its folder: `run.json` describes the run, `metrics.jsonl` gets one line per step, `checkpoints` has
 * what a resume needs, and the model is saved at the end.
 * @throws InputError if the folder holds a run and `resume` is not set; StateMismatchError if the resumed run had other settings.
 */
export async function runTraining<Stage extends OpenStage, Result>(
  { stage, values, shown, backend: given, open, task }: TrainingStage<Stage, Result>,
  options: CallOptions,
): Promise<Result> {
  const { out, resume, saveSteps, saveTotalLimit: keep = 2, reportTo } = values;
  const { saveLanguageModel } = await import('@rarefy/lm');
  const { checkRunFile, jsonlLogger, latestCheckpoint, tensorBoardLogger, writeRunFile } = await import(
    '@rarefy/training'
  );
  const isContinued = (await latestCheckpoint(join(out, 'checkpoints'))) !== undefined;
  if (isContinued && !resume) {
    throw new InputError(`${out} already holds a run; continue it with --resume, or choose another --out.`);
  }
  const backend = given ?? (await openBackend(values.backend, options));
  const opened = await open(isContinued);
  let lastMessage = Number.NEGATIVE_INFINITY;
  const report = (message: string) => options.onEvent?.({ type: 'work-message', task: stage, message });
  try {
    const { loaded, extra, settings, fixed = {} } = opened;
    if (isContinued) await checkRunFile(out, fixed);
    const versions = { node: process.versions.node };
    await writeRunFile(out, { stage, ...settings, fixed, backend, versions }, options);
    const result = await task(opened, {
      ...options,
      checkpoint: { folder: out, saveSteps, keep, resume },
      loggers: (done) => [
        jsonlLogger(join(out, 'metrics.jsonl'), keptUntil(done)),
        ...(reportTo === 'tensorboard' ? [tensorBoardLogger(join(out, 'tensorboard'), keptUntil(done))] : []),
      ],
      onStart(done) {
        if (done > 0) report(`continuing after step ${done}`);
      },
      onStep(step, metrics) {
        if (performance.now() - lastMessage < messageEveryMs) return;
        lastMessage = performance.now();
        const columns = shown
          .filter((name) => name in metrics)
          .map((name) => `${name} ${Number(metrics[name]!.toPrecision(4))}`);
        report([`step ${step}`, ...columns].join(', '));
      },
    });
    await saveLanguageModel(out, extra ? { ...loaded, extra: await extra() } : loaded);
    return result;
  } finally {
    await opened.dispose();
  }
}

/** Options of a logger that writes a file: what a run that resumes after `done` steps keeps of it. A new run starts empty. */
export function keptUntil(done: number): FileLoggerOptions {
  return done > 0 ? { truncateAfterStep: done } : {};
}
