import {
  type CallOptions,
  callOptionNames,
  checkInteger,
  checkOptions,
  InputError,
  InvalidArgumentError,
  startProgress,
} from '@rarefy/core';
import { readBytes, sourceName } from '../files/read-bytes.js';
import { type ByteLine, splitLines } from './split-lines.js';

/** Why a line was rejected. */
export type BadLineReason =
  | 'too-long'
  | 'not-utf8'
  | 'too-complex'
  | 'not-json'
  | 'not-an-object'
  | 'bad-id'
  | 'bad-source'
  | 'bad-count'
  | 'bad-margin'
  | 'no-prompt'
  | 'no-answer';

/** Thrown for one line; the reader adds file and line number to the message, or counts the line as skipped. */
export class BadLine extends InputError {
  constructor(
    readonly reason: BadLineReason,
    message: string,
  ) {
    super(message);
  }
}

export interface JsonlLine<Value = unknown> {
  readonly value: Value;
  /** From 1; blank lines count. */
  readonly line: number;
  /** Offset of the line's first byte; for gzip, in the decompressed text. */
  readonly byte: number;
}

/** Counts of the lines so far. Start with `{ records: 0, skipped: {} }`; one object may be shared by several files. */
export interface JsonlStats {
  records: number;
  skipped: Partial<Record<BadLineReason, number>>;
}

export interface JsonlOptions extends CallOptions {
  /** `stop` (default): a bad line is an error. `skip`: it is counted in `stats`, and one `work-warning` at the end reports all. */
  readonly onBadLine?: 'stop' | 'skip';
  /**
   * A longer line is a bad line; default 16 MiB. Its bytes are dropped as they arrive. Reading lines near the limit takes several
   * times their size: as bytes, as text and as a value.
   */
  readonly maxLineBytes?: number;
  /** Updated while reading. */
  readonly stats?: JsonlStats;
}

/** Names of {@link JsonlOptions}, for `checkOptions` in readers whose options extend them. */
export const jsonlOptionNames = [
  'onBadLine',
  'maxLineBytes',
  'stats',
  ...callOptionNames,
] satisfies (keyof JsonlOptions)[];

const task = 'read';
const progressEvery = 1000;

/** What to do about a bad line. The commands that have `--on-bad-line` always give `onBadLine`; others do not have that option. */
function fixFor(source: string, { onBadLine }: JsonlOptions): string {
  if (/\.(csv|tsv|parquet)$/i.test(source)) return 'Expected JSON Lines; `rarefy download` converts csv and parquet.';
  if (onBadLine === undefined) return "Correct the line; in code, onBadLine: 'skip' skips such lines.";
  return "Correct the line, or skip such lines (onBadLine: 'skip', or --on-bad-line skip).";
}

/**
 * The values of a JSON Lines file, gzip or plain, or of standard input for `-`, one at a time and in bounded memory.
 *
 * Lines end at a line feed; a carriage return before it, a byte order mark at the start and blank lines are ignored. Each line
 * must be valid UTF-8, be nested at most 1,000 deep and have at most 262,144 keys and values. Of equal keys in one object the
 * last counts; `__proto__` is a key like any other. Text is not normalized: a lone surrogate written as an escape is kept, and
 * writeJsonl writes it as an escape again. An empty file has no values.
 * @throws InputError that names file, line and byte of a bad line, or says why the file cannot be read; the signal's reason on
 * abort.
 */
export function readJsonl(source: string, options: JsonlOptions = {}): AsyncGenerator<JsonlLine, void, undefined> {
  checkOptions(options, jsonlOptionNames, 'readJsonl');
  return readLines(source, (value) => value, options);
}

/**
 * Reads the lines of a JSON Lines file and converts each; `toValue` throws BadLine to reject one. See {@link readJsonl} for the
 * rules.
 * @param fix what to do about a bad line, for the message; default: correct or skip it
 * @throws what `toValue` throws; otherwise as {@link readJsonl}.
 */
export function readLines<Value>(
  source: string,
  toValue: (value: unknown, line: number) => Value,
  options: JsonlOptions = {},
  fix?: string,
): AsyncGenerator<JsonlLine<Value>, void, undefined> {
  checkOptions(options, jsonlOptionNames, 'readLines');
  const { onBadLine = 'stop', maxLineBytes = 2 ** 24 } = options;
  checkInteger('maxLineBytes', maxLineBytes, 1);
  if (onBadLine !== 'stop' && onBadLine !== 'skip') {
    throw new InvalidArgumentError(`onBadLine must be 'stop' or 'skip', got ${String(onBadLine)}`);
  }
  return linesOf(source, toValue, { ...options, onBadLine, maxLineBytes }, fix ?? fixFor(source, options));
}

async function* linesOf<Value>(
  source: string,
  toValue: (value: unknown, line: number) => Value,
  options: JsonlOptions & { readonly maxLineBytes: number },
  fix: string,
): AsyncGenerator<JsonlLine<Value>, void, undefined> {
  const { signal, onEvent, onBadLine, maxLineBytes, stats } = options;
  const skipped = new Map<BadLineReason, number>();
  let firstSkipped = '';
  let records = 0;
  const progress = startProgress(task, undefined, onEvent);
  try {
    for await (const raw of splitLines(readBytes(source, { signal, reuse: true }), maxLineBytes)) {
      signal?.throwIfAborted();
      let value: Value;
      try {
        const text = decodeLine(raw, maxLineBytes);
        if (/^[ \t\r]*$/.test(text)) continue;
        const problem = structureProblem(raw.bytes!);
        if (problem) throw new BadLine('too-complex', `the line ${problem}`);
        value = toValue(parse(text), raw.line);
      } catch (error) {
        if (!(error instanceof BadLine)) throw error;
        const location = `${sourceName(source)}, line ${raw.line} (byte ${raw.byte}): ${error.message}`;
        if (onBadLine === 'stop') throw new InputError(`${location}. ${fix}`);
        skipped.set(error.reason, (skipped.get(error.reason) ?? 0) + 1);
        if (stats) stats.skipped[error.reason] = (stats.skipped[error.reason] ?? 0) + 1;
        firstSkipped ||= location;
        continue;
      }
      records++;
      if (stats) stats.records++;
      yield { value, line: raw.line, byte: raw.byte };
      if (records % progressEvery === 0) progress.report(records);
    }
  } finally {
    if (skipped.size > 0) {
      const counts = [...skipped].map(([reason, count]) => `${count} ${reason}`).join(', ');
      const message = `bad lines skipped: ${counts}. The first: ${firstSkipped}`;
      onEvent?.({ type: 'work-warning', task, code: 'skipped-lines', message });
    }
  }
  progress.end(records);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a line, without a byte order mark at the start of the file. @throws BadLine if it is too long or not UTF-8. */
export function decodeLine(raw: ByteLine, maxLineBytes: number): string {
  if (!raw.bytes) throw new BadLine('too-long', `the line is longer than ${maxLineBytes} bytes`);
  const marked = raw.byte === 0 && raw.bytes[0] === 0xef && raw.bytes[1] === 0xbb && raw.bytes[2] === 0xbf;
  try {
    return utf8.decode(marked ? raw.bytes.subarray(3) : raw.bytes);
  } catch {
    throw new BadLine('not-utf8', 'the line is not valid UTF-8');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BadLine('not-json', `the line is not JSON: ${(error as Error).message.replace(/\p{C}/gu, '?')}`);
  }
}

/** Deepest nesting of a line. JSON.stringify overflows the stack at some 4,000 levels (Node 20). */
const maxDepth = 1000;

/** Most brackets, commas and colons of a line, outside of strings: about the number of its keys and values. */
const maxParts = 2 ** 18;

/**
 * Why a line must not be passed to JSON.parse, or undefined: 16 MB of brackets become 500 MB of arrays. Looks only at the
 * structure, at each byte once, so the bytes need not be valid JSON.
 */
function structureProblem(bytes: Uint8Array): string | undefined {
  if (bytes.length <= maxDepth) return undefined;
  let depth = 0;
  let parts = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === 0x22) {
      for (index++; index < bytes.length && bytes[index] !== 0x22; index++) if (bytes[index] === 0x5c) index++;
    } else if (byte === 0x5b || byte === 0x7b) {
      parts++;
      if (++depth > maxDepth) return `is nested deeper than ${maxDepth} levels`;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
    else if (byte === 0x2c || byte === 0x3a) parts++;
    if (parts > maxParts) return `has more than ${maxParts} keys and values`;
  }
  return undefined;
}
