import { checkItemList, checkOptions, described, InputError, InvalidArgumentError } from '@rarefy/core';
import { BadLine, describeValue, type JsonlOptions, jsonlOptionNames, quoted } from '@rarefy/io';
import type { Conversation } from './conversations.js';
import { type Fields, readRecords, toId, toPrompt, toSource, toTopic, unknownSource } from './fields.js';
import type { Pair } from './pairs.js';

/** A distinct prompt and how often it occurs. */
export interface PromptRecord {
  readonly id: string;
  readonly prompt: string;
  /** Number of rows with exactly this prompt; ≥ 1. */
  readonly count: number;
  /** Sources of these rows, in order of first appearance. */
  readonly sources: readonly string[];
  readonly topic?: string;
}

/**
 * Prompts of a JSON Lines file of prompt records, pairs or conversations: one per row, in order. {@link uniquePrompts} merges equal
 * ones. A missing count is 1; missing sources are the row's `src`. Ids are handled as in readPairs.
 * @throws what readJsonl throws; InputError if the file has no prompts.
 */
export function readPrompts(source: string, options: JsonlOptions = {}): AsyncGenerator<PromptRecord, void, undefined> {
  checkOptions(options, jsonlOptionNames, 'readPrompts');
  return readRecords(source, 'prompts', toPromptRecord, options);
}

/**
 * Merges records with equal prompts. Each distinct prompt gets the id and topic of its first row, the sum of the counts, and the
 * sources in order of first appearance. Prompts are compared character by character, without normalization. Rows of one prompt may
 * share an id.
 * @returns one record per distinct prompt, in order of first appearance
 * @throws InvalidArgumentError if `records` is not a list of such records; InputError if two different prompts have the same id.
 */
export async function uniquePrompts(
  records: Iterable<Pair | Conversation | PromptRecord> | AsyncIterable<Pair | Conversation | PromptRecord>,
): Promise<PromptRecord[]> {
  checkItemList(records, 'uniquePrompts');
  const merged = new Map<string, { first: Pair | Conversation | PromptRecord; count: number; sources: Set<string> }>();
  const promptOfId = new Map<string, string>();
  let position = 0;
  for await (const record of records) {
    const { id, prompt } = Object(record) as typeof record;
    if (typeof id !== 'string' || typeof prompt !== 'string') {
      const seen =
        Object(record) === record ? `id ${described(id)} and prompt ${described(prompt)}` : described(record);
      throw new InvalidArgumentError(`record ${position} must be { id, prompt } with two strings, got ${seen}`);
    }
    position++;
    if ((promptOfId.get(id) ?? prompt) !== prompt) {
      throw new InputError(`two different prompts have the id ${quoted(id)}; give every prompt an id of its own`);
    }
    promptOfId.set(id, prompt);
    let entry = merged.get(prompt);
    if (!entry) merged.set(prompt, (entry = { first: record, count: 0, sources: new Set() }));
    entry.count += 'count' in record ? record.count : 1;
    for (const source of 'sources' in record ? record.sources : [record.src ?? unknownSource])
      entry.sources.add(source);
  }
  return [...merged].map(([prompt, { first, count, sources }]) => ({
    id: first.id,
    prompt,
    count,
    sources: [...sources],
    ...('topic' in first && first.topic !== undefined ? { topic: first.topic } : {}),
  }));
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
  throw new BadLine('bad-count', `count must be an integer ≥ 1, got ${describeValue(count)}`);
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
  throw new BadLine('bad-source', `sources must be an array of non-empty strings, got ${describeValue(sources)}`);
}
