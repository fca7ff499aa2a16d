import { appendFileSync, closeSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { CorruptFileError, InvalidArgumentError } from '@rarefy/core';

/** A file of JSON lines that each begin with their step. */
export interface JsonlFile {
  /** Writes one line: `{"step":1,…}`. It is on disk when this returns. NaN and infinity are written as null. */
  append(step: number, content: object): void;
  /** A second call does nothing. */
  close(): void;
}

/**
 * Opens a file of JSON lines for appending and creates missing folders.
 * @param lastStep keeps the lines up to this step and removes later ones and a line that a crash cut off; undefined: removes all
 * @throws CorruptFileError naming the first complete line that has no step; the file is then unchanged.
 */
export function openJsonlFile(path: string, lastStep: number | undefined): JsonlFile {
  mkdirSync(dirname(path), { recursive: true });
  let file: number | undefined = openSync(path, 'a+');
  try {
    ftruncateSync(file, lastStep === undefined ? 0 : keptBytes(path, file, lastStep));
  } catch (error) {
    closeSync(file);
    throw error;
  }
  return {
    append(step, content) {
      if (file === undefined) throw new InvalidArgumentError(`the log ${path} is closed; open another logger`);
      appendFileSync(file, `${JSON.stringify({ step, ...content })}\n`); // JSON writes NaN and infinities as null
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
  const block = Buffer.allocUnsafe(1 << 16);
  let pending: Buffer[] = []; // parts of a line whose end is not read yet
  let kept = 0;
  let line = 1;
  for (let offset = 0; ; ) {
    const length = readSync(file, block, 0, block.length, offset);
    if (length === 0) return kept;
    offset += length;
    let start = 0;
    for (let end: number; (end = block.subarray(0, length).indexOf(0x0a, start)) >= 0; start = end + 1) {
      const bytes = Buffer.concat([...pending, block.subarray(start, end)]);
      if (stepOf(bytes.toString('utf8'), path, line) > lastStep) return kept;
      pending = [];
      kept += bytes.length + 1;
      line++;
    }
    pending.push(Buffer.from(block.subarray(start, length)));
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
