import { BadLine, describeValue, type JsonlOptions } from '@rarefy/io';
import { readRecords } from './read-records.js';
import { type Fields, toId, toPrompt, toSource, toTopic } from './record-fields.js';

/** A prompt and how often it occurs. */
export interface PromptRecord {
  readonly id: string;
  readonly prompt: string;
  /** Rows with this exact prompt; ≥ 1. */
  readonly count: number;
  /** Where they come from, in order of first appearance. */
  readonly sources: readonly string[];
  readonly topic?: string;
}

/**
 * Prompts of a JSON Lines file of prompt records, pairs or conversations, one a row and in order: uniquePrompts() merges equal
 * ones. A missing count is 1; missing sources are the row's `src`. Ids as in readPairs.
 * @throws what readJsonl throws; InputError when the file holds no prompts.
 */
export function readPrompts(source: string, options: JsonlOptions = {}): AsyncGenerator<PromptRecord, void, undefined> {
  return readRecords(source, 'prompts', toPromptRecord, options);
}

function toPromptRecord(fields: Fields, line: number): PromptRecord {
  return {
    id: toId(fields, line),
    prompt: toPrompt(fields),
    count: toCount(fields),
    sources: toSources(fields),
    ...toTopic(fields),
  };
}

function toCount({ count }: Fields): number {
  if (count === undefined || count === null) return 1;
  if (Number.isSafeInteger(count) && (count as number) >= 1) return count as number;
  throw new BadLine('bad-count', `count must be an integer ≥ 1, and is ${describeValue(count)}`);
}

function toSources(fields: Fields): readonly string[] {
  const { sources } = fields;
  if (sources === undefined || sources === null) return [toSource(fields)];
  if (
    Array.isArray(sources) &&
    sources.length > 0 &&
    sources.every((name) => typeof name === 'string' && name !== '')
  ) {
    return [...new Set<string>(sources)];
  }
  throw new BadLine('bad-source', `sources must be an array of non-empty strings, and is ${describeValue(sources)}`);
}
