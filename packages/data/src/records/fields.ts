import { InputError } from '@rarefy/core';
import { BadLine, describeValue, type JsonlLine, type JsonlOptions, readLines, sourceName } from '@rarefy/io';

/** The fields of a record: a plain JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

export const unknownSource = 'unknown';

/**
 * The records of a JSON Lines file. A file without records is an error, because every caller needs at least one.
 * @param kind a noun in the plural for the message
 */
export function readRecords<Value>(
  source: string,
  kind: string,
  toRecord: (fields: Fields, line: number) => Value,
  options: JsonlOptions,
): AsyncGenerator<Value, void, undefined> {
  const lines = readLines(source, (value, line) => toRecord(toFields(value), line), options);
  return recordsOf(lines, source, kind, options);
}

async function* recordsOf<Value>(
  lines: AsyncIterable<JsonlLine<Value>>,
  source: string,
  kind: string,
  options: JsonlOptions,
): AsyncGenerator<Value, void, undefined> {
  let records = 0;
  for await (const { value } of lines) {
    records++;
    yield value;
  }
  if (records === 0) {
    const why = options.onBadLine === 'skip' ? 'it is empty, or every line was skipped' : 'it is empty';
    throw new InputError(`${sourceName(source)} has no ${kind}: ${why}. Check that it is the right file.`);
  }
}

export function toFields(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new BadLine('not-an-object', `a record must be a JSON object, got ${describeValue(value)}`);
}

/** The id. A missing one becomes `line-<number>`, which is the same in every reading of the file and differs from any number. */
export function toId({ id }: Fields, line: number): string {
  if (id === undefined || id === null) return `line-${line}`;
  if (typeof id === 'string' && id !== '') return id;
  if (Number.isSafeInteger(id)) return String(id);
  throw new BadLine('bad-id', `id must be a non-empty string or a safe integer, got ${describeValue(id)}`);
}

export function toSource({ src }: Fields): string {
  if (src === undefined || src === null) return unknownSource;
  if (typeof src === 'string' && src !== '') return src;
  throw new BadLine('bad-source', `src must be a non-empty string, got ${describeValue(src)}`);
}

export function toPrompt({ prompt }: Fields): string {
  if (typeof prompt === 'string' && prompt.trim() !== '') return prompt;
  throw new BadLine('no-prompt', `prompt must be a non-blank string, got ${describeValue(prompt)}`);
}

/** The topic, to spread into a record; dropped unless it is a string. */
export function toTopic({ topic }: Fields): { readonly topic?: string } {
  return typeof topic === 'string' ? { topic } : {};
}

/** The margin of a pair, to spread into a record. */
export function toMargin({ margin }: Fields): { readonly margin?: number } {
  if (margin === undefined || margin === null) return {};
  if (typeof margin === 'number' && Number.isFinite(margin)) return { margin };
  throw new BadLine('bad-margin', `margin must be a finite number, got ${describeValue(margin)}`);
}

export function toAnswer(fields: Fields, name: string): string {
  const answer = fields[name];
  if (typeof answer === 'string') return answer;
  throw new BadLine('no-answer', `${name} must be a string, got ${describeValue(answer)}`);
}
