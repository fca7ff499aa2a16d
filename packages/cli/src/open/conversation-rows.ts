import { stat } from 'node:fs/promises';
import type { CallOptions } from '@rarefy/core';
import { readConversations } from '@rarefy/data';
import type { ChatText } from '@rarefy/embedders/causal-lm';
import type { EmbedRow, EmbedRows } from '@rarefy/embeddings';
import { sha256File } from '@rarefy/io';

/** Whether the data can be read only once: standard input, a pipe and the like. */
async function isReadOnce(data: string): Promise<boolean> {
  if (data === '-') return true;
  const found = await stat(data).catch(() => undefined); // reading reports a missing file
  return found !== undefined && !found.isFile();
}

/** The rows of a file of conversations. A file is read again at each iteration; other data is kept in memory. */
export async function conversationRows(
  data: string,
  { limit, onBadLine }: { readonly limit: number | undefined; readonly onBadLine: 'stop' | 'skip' },
  options: CallOptions,
): Promise<EmbedRows<ChatText>> {
  let readings = 0;
  async function* read(): AsyncGenerator<EmbedRow<ChatText>> {
    const { signal, onEvent } = options;
    const onFirst = readings++ === 0 ? onEvent : undefined; // bad lines and times are reported once
    let left = limit ?? Number.POSITIVE_INFINITY;
    for await (const { id, prompt, assistant } of readConversations(data, { signal, onEvent: onFirst, onBadLine })) {
      yield { id, item: assistant === undefined ? { prompt } : { prompt, assistant } };
      if (--left === 0) return;
    }
  }
  if (!(await isReadOnce(data))) return { [Symbol.asyncIterator]: read };
  const rows: EmbedRow<ChatText>[] = [];
  for await (const row of read()) rows.push(row);
  return rows;
}

/** What a manifest records about a data file. */
export async function dataNotes(
  data: string,
  limit: number | undefined,
  options: CallOptions,
): Promise<Record<string, string>> {
  if (await isReadOnce(data)) return { path: data };
  const notes = { path: data, fileSha256: await sha256File(data, { signal: options.signal }) };
  return limit === undefined ? notes : { ...notes, limit: String(limit) };
}
