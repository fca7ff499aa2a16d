import { InputError } from '@rarefy/core';
import { quoted } from '@rarefy/io';
import type { Conversation } from './conversations.js';
import type { Pair } from './pairs.js';
import type { PromptRecord } from './prompts.js';
import { unknownSource } from './record-fields.js';

/**
 * One record a distinct prompt text, in order of first appearance: id and topic of the first row, counts added up, sources in
 * order of first appearance. Texts are equal when every character is; nothing is normalised. Rows of
 * one prompt may share an id, as the pairs of one prompt do.
 * @throws InputError when two different prompts have the same id.
 */
export async function uniquePrompts(
  records: Iterable<Pair | Conversation | PromptRecord> | AsyncIterable<Pair | Conversation | PromptRecord>,
): Promise<PromptRecord[]> {
  const merged = new Map<string, { first: Pair | Conversation | PromptRecord; count: number; sources: Set<string> }>();
  const promptOfId = new Map<string, string>();
  for await (const record of records) {
    const { id, prompt } = record;
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
