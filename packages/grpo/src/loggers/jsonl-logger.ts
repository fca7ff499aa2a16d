import { appendFileSync, closeSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CorruptFileError, checkOptions, InvalidArgumentError, type MetricLogger } from '@rarefy/core';

export interface JsonlLoggerOptions {
  /**
   * For a resumed run: keeps the lines of the file up to this step (the step of the checkpoint) and removes later ones, so that
   * the file becomes that of an uninterrupted run. `Infinity` keeps all lines. Default: the file starts empty.
   */
  readonly truncateAfterStep?: number;
}

/**
 * Writes one JSON line per step: `{"step":1,"reward":0.5,…}`, with keys in the given order, and NaN and infinity as null. The line
 * is on disk when `log` returns. Creates missing folders. A line that a crash cut off is removed on resume.
 * @throws InvalidArgumentError for an unknown option; CorruptFileError naming the first complete line of an earlier run that is not
 *   a log line; the file is then unchanged.
 */
export function jsonlLogger(path: string, options: JsonlLoggerOptions = {}): MetricLogger {
  checkOptions(options, ['truncateAfterStep'], 'jsonlLogger');
  const { truncateAfterStep } = options;
  mkdirSync(dirname(path), { recursive: true });
  let file: number | undefined = openSync(path, 'a+');
  try {
    ftruncateSync(file, truncateAfterStep === undefined ? 0 : keptBytes(path, file, truncateAfterStep));
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return {
    name: `jsonl ${path}`,
    log(step, metrics) {
      if (file === undefined) throw new InvalidArgumentError(`the log ${path} is closed; open another logger`);
      appendFileSync(file, `${JSON.stringify({ step, ...metrics })}\n`); // JSON writes NaN and infinities as null
      fdatasyncSync(file);
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

/** Number of bytes before the first line of a later step, or before a last line without a line feed. */
function keptBytes(path: string, file: number, lastStep: number): number {
  const bytes = readFileSync(file);
  let start = 0;
  for (let line = 1; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) return start;
    if (stepOf(bytes.toString('utf8', start, end), path, line) > lastStep) return start;
    start = end + 1;
  }
}

function stepOf(text: string, path: string, line: number): number {
  try {
    const { step } = JSON.parse(text) as { step: unknown };
    if (typeof step === 'number') return step;
  } catch {
    // reported below
  }
  throw new CorruptFileError(
    `${path}, line ${line} is not a log line: '${text.slice(0, 80)}'; move the file away, or delete that line`,
  );
}
