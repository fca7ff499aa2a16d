import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { CorruptFileError, checkOptions, InvalidArgumentError, type MetricLogger } from '@rarefy/core';
import { type EventContent, event, eventStep, record, records } from './event-file.js';
import { type FileLoggerOptions, fileLoggerOptionNames } from './jsonl-logger.js';

/** Event files of this logger, by their second. TensorBoard reads them in the order of their names. */
const fileName = (second: number) => `events.out.tfevents.${String(second).padStart(10, '0')}.rarefy`;
const namePattern = /^events\.out\.tfevents\.(\d{10})\.rarefy$/;

/**
 * Writes event files that TensorBoard shows: `tensorboard --logdir <folder>`. One scalar per metric and step, in float32. The step
 * is written when `log` returns. Creates missing folders.
 *
 * The event files of this logger in `folder` are those of one run: a new run deletes them, and a resumed run removes the steps
 * after `truncateAfterStep`, also from a TensorBoard that is open. Files of other programs stay as they are.
 * @throws InvalidArgumentError for an unknown option; CorruptFileError naming an earlier event file that is damaged; the files are
 *   then unchanged.
 */
export function tensorBoardLogger(folder: string, options: FileLoggerOptions = {}): MetricLogger {
  checkOptions(options, fileLoggerOptionNames, 'tensorBoardLogger');
  const { truncateAfterStep } = options;
  mkdirSync(folder, { recursive: true });
  const earlier = readdirSync(folder)
    .filter((name) => namePattern.test(name))
    .sort();
  const kept = earlier.map((name) => keptBytes(join(folder, name), truncateAfterStep));
  earlier.forEach((name, index) => {
    const path = join(folder, name);
    if (kept[index] === undefined) rmSync(path);
    else truncateSync(path, kept[index]);
  });
  const now = () => Date.now() / 1000;
  const newest = Number(namePattern.exec(earlier.at(-1) ?? '')?.[1] ?? 0);
  const path = join(folder, fileName(Math.max(Math.floor(now()), newest + 1)));
  let file: number | undefined = openSync(path, 'wx');
  const append = (step: number, content: EventContent) => {
    if (file === undefined) throw new InvalidArgumentError(`the log ${path} is closed; open another logger`);
    appendFileSync(file, record(event(now(), step, content)));
  };
  append(0, { fileVersion: 'brain.Event:2' });
  if (earlier.length > 0 && Number.isFinite(truncateAfterStep)) append(truncateAfterStep! + 1, { isRestart: true });
  return {
    name: `tensorboard ${folder}`,
    log: (step, metrics) => append(step, { scalars: metrics }),
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

/** Number of bytes before the first event of a later step, or before an event that is cut off; undefined: delete the file. */
function keptBytes(path: string, lastStep: number | undefined): number | undefined {
  if (lastStep === undefined) return undefined;
  let kept = 0;
  const onDamaged = (offset: number): never => {
    throw new CorruptFileError(`${path} is damaged at byte ${offset}; move the file away`);
  };
  for (const { offset, data } of records(readFileSync(path), onDamaged)) {
    if (eventStep(data) > lastStep) return offset;
    kept = offset + data.length + 16;
  }
  return kept;
}
