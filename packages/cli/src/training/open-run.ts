import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, InputError, type MetricLogger } from '@rarefy/core';
import { jsonlLogger } from '@rarefy/grpo';
import { writeAtomically } from '@rarefy/io';
import { type ChosenBackend, latestCheckpoint, type TrainingOptions } from '@rarefy/lm';

export interface RunOptions extends CallOptions {
  readonly out: string;
  readonly stage: string;
  readonly resume: boolean;
  readonly saveSteps: number;
  readonly backend: ChosenBackend;
  /** Everything that was asked for, for `run.json`. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Metrics shown while the run goes on. */
  readonly shown: readonly string[];
}

/** A run folder that is ready: what a trainer needs of it. */
export interface OpenRun extends Required<Pick<TrainingOptions, 'checkpoint' | 'onStart' | 'onStep'>> {
  close(): Promise<void>;
}

const messageEveryMs = 10_000;

/**
 * Opens a run folder: `run.json` says what runs, `metrics.jsonl` takes a line a step, `checkpoints` what a resume needs.
 * @throws InputError when the folder holds a run and `resume` was not asked for.
 */
export async function openRun({
  out,
  stage,
  resume,
  saveSteps,
  backend,
  options,
  shown,
  onEvent,
}: RunOptions): Promise<OpenRun> {
  if (!resume && (await latestCheckpoint(join(out, 'checkpoints'))) !== undefined) {
    throw new InputError(`${out} already holds a run; go on with --resume, or give another --out`);
  }
  await mkdir(out, { recursive: true });
  const header = { stage, ...options, backend, versions: { node: process.versions.node } };
  await writeAtomically(join(out, 'run.json'), Buffer.from(`${JSON.stringify(header, null, 2)}\n`));
  let logger: MetricLogger | undefined;
  let lastMessage = Number.NEGATIVE_INFINITY;
  return {
    checkpoint: { folder: out, saveSteps, resume },
    onStart(done) {
      logger = jsonlLogger(join(out, 'metrics.jsonl'), done > 0 ? { truncateAfterStep: done } : {});
      if (done > 0) onEvent?.({ type: 'work-message', task: stage, message: `going on after step ${done}` });
    },
    onStep(step, metrics) {
      logger?.log(step, metrics);
      if (performance.now() - lastMessage < messageEveryMs) return;
      lastMessage = performance.now();
      const columns = shown
        .filter((name) => name in metrics)
        .map((name) => `${name} ${Number(metrics[name]!.toPrecision(4))}`);
      onEvent?.({ type: 'work-message', task: stage, message: [`step ${step}`, ...columns].join(', ') });
    },
    close: async () => logger?.close(),
  };
}
