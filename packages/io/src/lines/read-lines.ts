import { type CallOptions, InputError, InvalidArgumentError } from '@rarefy/core';
import { readBytes, sourceName } from '../files/read-bytes.js';
import { BadLine, type BadLineReason } from './bad-line.js';
import { type ByteLine, splitLines } from './split-lines.js';
import { structureProblem } from './structure-problem.js';

export interface JsonlLine<Value = unknown> {
  readonly value: Value;
  /** From 1; blank lines count. */
  readonly line: number;
  /** Offset of the line's first byte, from 0; for gzip, in the unpacked text. */
  readonly byte: number;
}

/** What became of the lines so far. Start with `{ records: 0, skipped: {} }`; one object may count over several files. */
export interface JsonlStats {
  records: number;
  skipped: Partial<Record<BadLineReason, number>>;
}

export interface JsonlOptions extends CallOptions {
  /** `stop` (default): a bad line is an error. `skip`: it is left out, counted in `stats`, and told in one `work-warning` at the end. */
  readonly onBadLine?: 'stop' | 'skip';
  /**
   * A longer line is a bad line; default 16 MiB. It is dropped as it comes, in this bound and 64 MB. Lines near the bound that are
   * read take several times their bytes, as text, value and garbage: 16 MiB lines in a row, 250 MB.
   */
  readonly maxLineBytes?: number;
  /** Counted up while reading. */
  readonly stats?: JsonlStats;
}

const task = 'read';
const progressEvery = 1000;

function fixFor(source: string): string {
  if (/\.(csv|tsv|parquet)$/i.test(source)) return 'JSON Lines are due; rarefy download makes them of csv and parquet.';
  return "Mend the line, or leave such lines out (onBadLine: 'skip'; --on-bad-line skip of embed, prompts and download).";
}

/** Reads lines and turns each into a value; `toValue` throws BadLine for one it refuses. See readJsonl for the rules. */
export async function* readLines<Value>(
  source: string,
  toValue: (value: unknown, line: number) => Value,
  options: JsonlOptions = {},
): AsyncGenerator<JsonlLine<Value>, void, undefined> {
  const { signal, onEvent, onBadLine = 'stop', maxLineBytes = 2 ** 24, stats } = options;
  if (!(Number.isSafeInteger(maxLineBytes) && maxLineBytes >= 1)) {
    throw new InvalidArgumentError(`maxLineBytes must be an integer ≥ 1, got ${maxLineBytes}`);
  }
  if (onBadLine !== 'stop' && onBadLine !== 'skip') {
    throw new InvalidArgumentError(`onBadLine must be 'stop' or 'skip', got ${String(onBadLine)}`);
  }
  const started = performance.now();
  const skipped = new Map<BadLineReason, number>();
  let firstSkipped = '';
  let records = 0;
  onEvent?.({ type: 'work-start', task });
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
        const place = `${sourceName(source)}, line ${raw.line} (byte ${raw.byte}): ${error.message}`;
        if (onBadLine === 'stop') {
          throw new InputError(`${place}. ${fixFor(source)}`);
        }
        skipped.set(error.reason, (skipped.get(error.reason) ?? 0) + 1);
        if (stats) stats.skipped[error.reason] = (stats.skipped[error.reason] ?? 0) + 1;
        firstSkipped ||= place;
        continue;
      }
      records++;
      if (stats) stats.records++;
      yield { value, line: raw.line, byte: raw.byte };
      if (records % progressEvery === 0) onEvent?.({ type: 'work-progress', task, done: records });
    }
  } finally {
    if (skipped.size > 0) {
      const counts = [...skipped].map(([reason, count]) => `${count} ${reason}`).join(', ');
      const message = `bad lines skipped: ${counts}. The first: ${firstSkipped}`;
      onEvent?.({ type: 'work-warning', task, code: 'skipped-lines', message });
    }
  }
  onEvent?.({ type: 'work-end', task, done: records, elapsedMs: performance.now() - started });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a line, without a byte order mark at the start of the file. @throws BadLine when it is too long or not UTF-8. */
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
