import { stat } from 'node:fs/promises';
import { type CallOptions, callOptionNames, checkOptions } from '@rarefy/core';
import { type Conversation, readConversations } from '@rarefy/data';
import { sha256File } from '@rarefy/io';
import type { EmbedRow, EmbedRows } from './data-rows.js';

/** What an embedder of a language model takes for a conversation. */
export type ConversationItem = Pick<Conversation, 'prompt' | 'assistant'>;

export interface ConversationRowsOptions extends CallOptions {
  /** Only this many rows, from the first one; default all. */
  readonly limit?: number | undefined;
  /** What to do with a line that is not a row; default `stop`. */
  readonly onBadLine?: 'stop' | 'skip';
}

/** Whether the data can be read only once: standard input, a pipe and the like. */
async function isReadOnce(data: string): Promise<boolean> {
  if (data === '-') return true;
  const found = await stat(data).catch(() => undefined); // reading reports a missing file
  return found !== undefined && !found.isFile();
}

/**
 * The rows of a file of conversations, for `embedToFile`. A file is read again at each iteration; other data, such as `-` for
 * standard input, is kept in memory.
 * @throws InvalidArgumentError if an option is unknown. Reading the rows throws what `readConversations` throws.
 */
export async function conversationRows(
  data: string,
  options: ConversationRowsOptions = {},
): Promise<EmbedRows<ConversationItem>> {
  checkOptions(options, ['limit', 'onBadLine', ...callOptionNames], 'conversationRows');
  const { limit, onBadLine = 'stop', signal, onEvent } = options;
  let readings = 0;
  async function* read(): AsyncGenerator<EmbedRow<ConversationItem>> {
    const onFirst = readings++ === 0 ? onEvent : undefined; // bad lines and times are reported once
    let left = limit ?? Number.POSITIVE_INFINITY;
    for await (const { id, prompt, assistant } of readConversations(data, { signal, onEvent: onFirst, onBadLine })) {
      yield { id, item: assistant === undefined ? { prompt } : { prompt, assistant } };
      if (--left === 0) return;
    }
  }
  if (!(await isReadOnce(data))) return { [Symbol.asyncIterator]: read };
  const rows: EmbedRow<ConversationItem>[] = [];
  for await (const row of read()) rows.push(row);
  return rows;
}

/** What the manifest of an embeddings file records about its data file: the option `data` of `embedToFile`. */
export async function dataNotes(
  data: string,
  limit?: number | undefined,
  options: CallOptions = {},
): Promise<Record<string, string>> {
  if (await isReadOnce(data)) return { path: data };
  const notes = { path: data, fileSha256: await sha256File(data, { signal: options.signal }) };
  return limit === undefined ? notes : { ...notes, limit: String(limit) };
}
