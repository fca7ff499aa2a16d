import { TrainingError } from '@rarefy/core';
import type { CheckpointOptions, StepMetrics } from '@rarefy/training';
import { type CompletionLogger, type CompletionRecord, checkCompletionLogger } from './completion-logger.js';
import type { GatheredGroups } from './gather-groups.js';
import { type DrawsFile, openDrawsFile } from './loader/draws-file.js';

/** Options of a trainer about what it keeps of each step. */
export interface RecordingOptions {
  readonly completions?: CompletionLogger | ((done: number) => CompletionLogger);
  readonly checkpoint?: CheckpointOptions;
}

/** Keeps the draws of a run in its folder, and hands its completions to a logger. */
export interface StepRecorder {
  /** @param done steps whose records stay */
  open(done: number): void;
  /** @throws TrainingError if the logger fails. */
  record(step: number, groups: GatheredGroups<unknown>, diversity: StepMetrics): Promise<void>;
  /** A second call does nothing. @throws TrainingError if the logger fails. */
  close(): Promise<void>;
}

/** @throws InvalidArgumentError if `completions` is neither a logger nor a function. */
export function stepRecorder({ completions, checkpoint }: RecordingOptions): StepRecorder {
  if (completions !== undefined && typeof completions !== 'function') checkCompletionLogger(completions);
  let logger: CompletionLogger | undefined;
  let draws: DrawsFile | undefined;
  const calling = async (what: string, call: (logger: CompletionLogger) => void | Promise<void>) => {
    try {
      if (logger) await call(logger);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new TrainingError(`the logger '${logger?.name ?? 'completions'}' ${what}: ${message}`, { cause });
    }
  };
  return {
    open(done) {
      draws = checkpoint && openDrawsFile(checkpoint.folder, done);
      const opened = typeof completions === 'function' ? completions(done) : completions;
      if (completions !== undefined) checkCompletionLogger(opened);
      logger = opened;
    },
    async record(step, groups, diversity) {
      for (const batch of groups.batches) draws?.append(step, batch);
      if (logger) await calling(`failed at step ${step}`, ({ log }) => log(step, completionRecords(groups), diversity));
    },
    async close() {
      const [openDraws, openLogger] = [draws, logger];
      draws = undefined;
      openDraws?.close();
      if (openLogger) await calling('failed to close', () => openLogger.close());
      logger = undefined;
    },
  };
}

function completionRecords({ batches, written, scores, advantages, learned }: GatheredGroups<unknown>) {
  const draws = batches.flatMap(({ first, positions }) => Array.from(positions, (_, index) => first + index));
  const isLearned = new Set(learned.completions);
  const orNull = (value: number) => (Number.isNaN(value) ? null : value);
  return written.completions.map((completion, row): CompletionRecord => {
    const { position, prompt, text, terminated } = completion;
    return {
      ...{ draw: draws[Math.floor(row / written.groupSize)]!, position, prompt, text },
      rewards: Object.fromEntries(Object.entries(scores.rewards).map(([name, values]) => [name, orNull(values[row]!)])),
      reward: orNull(scores.total[row]!),
      advantage: advantages.advantages[row]!,
      ...{ terminated, learned: isLearned.has(completion) },
    };
  });
}
