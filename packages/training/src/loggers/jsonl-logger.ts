import { checkOptions, type MetricLogger } from '@rarefy/core';
import { openJsonlFile } from './jsonl-file.js';

/** Options of the loggers that write files. */
export interface FileLoggerOptions {
  /**
   * For a resumed run: keeps what the file has up to this step (the step of the checkpoint) and removes later steps, so that the
   * file becomes that of an uninterrupted run. `Infinity` keeps everything. Default: the file starts empty.
   */
  readonly truncateAfterStep?: number;
}

export const fileLoggerOptionNames = ['truncateAfterStep'] as const satisfies readonly (keyof FileLoggerOptions)[];

/**
 * Writes one JSON line per step: `{"step":1,"reward":0.5,…}`, with keys in the given order, and NaN and infinity as null. The line
 * is on disk when `log` returns. Creates missing folders. A line that a crash cut off is removed on resume.
 * @throws InvalidArgumentError for an unknown option; CorruptFileError naming the first complete line of an earlier run that is not
 *   a log line; the file is then unchanged.
 */
export function jsonlLogger(path: string, options: FileLoggerOptions = {}): MetricLogger {
  checkOptions(options, fileLoggerOptionNames, 'jsonlLogger');
  const file = openJsonlFile(path, options.truncateAfterStep);
  return { name: `jsonl ${path}`, log: file.append, close: file.close };
}
