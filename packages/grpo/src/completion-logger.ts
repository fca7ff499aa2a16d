import { checkOptions, InvalidArgumentError, shown } from '@rarefy/core';
import { type FileLoggerOptions, fileLoggerOptionNames, openJsonlFile, type StepMetrics } from '@rarefy/training';

/** One completion of a step, with all that was learned from it. */
export interface CompletionRecord {
  /** Index of its draw in the stream of the sampler. */
  readonly draw: number;
  /** Row number of the prompt in the data set. */
  readonly position: number;
  readonly prompt: string;
  /** Text of the completion alone, without special tokens. */
  readonly text: string;
  /** The value of each reward before its weight; null if it does not apply. */
  readonly rewards: Readonly<Record<string, number | null>>;
  /** Weighted sum of the rewards; null if none applies. */
  readonly reward: number | null;
  /** Before the importance weight. */
  readonly advantage: number;
  /** Whether the stop token was generated before the length limit. */
  readonly terminated: boolean;
  /** Whether the group is one that the step learns from: always, unless refills replace it. */
  readonly learned: boolean;
}

/** Records the completions of a run, step by step. */
export interface CompletionLogger {
  /** Names the logger in errors. */
  readonly name?: string;
  /**
   * Called after a step is scored and before it changes the weights, so a logger that fails costs no step.
   * @param completions those of the same prompt are adjacent
   * @param diversity the metrics `diversity/*` of the step
   */
  log(step: number, completions: readonly CompletionRecord[], diversity: StepMetrics): void | Promise<void>;
  /** Called after the run. A second call does nothing. */
  close(): void | Promise<void>;
}

/**
 * Writes one JSON line per step: `{"step":1,"diversity":{…},"completions":[{"draw":0,"position":7,"prompt":"…",…},…]}`, with NaN as
 * null. The line is on disk when `log` returns. Creates missing folders. A line that a crash cut off is removed on resume.
 * @throws InvalidArgumentError for an unknown option; CorruptFileError naming the first complete line of an earlier run that is not
 *   a log line; the file is then unchanged.
 */
export function jsonlCompletions(path: string, options: FileLoggerOptions = {}): CompletionLogger {
  checkOptions(options, fileLoggerOptionNames, 'jsonlCompletions');
  const file = openJsonlFile(path, options.truncateAfterStep);
  return {
    name: `completions ${path}`,
    log: (step, completions, diversity) => file.append(step, { diversity, completions }),
    close: file.close,
  };
}

/** @throws InvalidArgumentError if `logger` is not a logger of completions. */
export function checkCompletionLogger(logger: unknown): asserts logger is CompletionLogger {
  const { log, close } = Object(logger) as Record<string, unknown>;
  if (typeof log === 'function' && typeof close === 'function') return;
  throw new InvalidArgumentError(
    `completions must be a logger with the functions log and close, such as jsonlCompletions(path), got ${shown(logger)}`,
  );
}
