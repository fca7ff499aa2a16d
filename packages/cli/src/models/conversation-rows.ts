import { stat } from 'node:fs/promises';
import type { CallOptions } from '@rarefy/core';
import { readConversations } from '@rarefy/data';
import type { ChatText } from '@rarefy/embedders/causal-lm';
import type { EmbedRow, EmbedRows } from '@rarefy/embeddings';
import { sha256File } from '@rarefy/io';

/** Standard input, a pipe and the like, which can be read but once. */
async function comesOnce(data: string): Promise<boolean> {
  if (data === '-') return true;
  const found = await stat(data).catch(() => undefined); // a missing file is told when it is read
  return found !== undefined && !found.isFile();
}

/** The rows of a file of conversations, read again at each reading; what comes once is kept in memory. */
export async function conversationRows(
  data: string,
  { limit, onBadLine }: { readonly limit: number | undefined; readonly onBadLine: 'stop' | 'skip' },
  options: CallOptions,
): Promise<EmbedRows<ChatText>> {
  let readings = 0;
  async function* read(): AsyncGenerator<EmbedRow<ChatText>> {
    const { signal, onEvent } = options;
    const told = readings++ === 0 ? onEvent : undefined; // bad lines and times are told once
    let left = limit ?? Number.POSITIVE_INFINITY;
    for await (const { id, prompt, assistant } of readConversations(data, { signal, onEvent: told, onBadLine })) {
      yield { id, item: assistant === undefined ? { prompt } : { prompt, assistant } };
      if (--left === 0) return;
    }
  }
  if (!(await comesOnce(data))) return { [Symbol.asyncIterator]: read };
  const rows: EmbedRow<ChatText>[] = [];
  for await (const row of read()) rows.push(row);
  return rows;
}

/** What a manifest notes of a data file. */
export async function dataNotes(
  data: string,
  limit: number | undefined,
  options: CallOptions,
): Promise<Record<string, string>> {
  if (await comesOnce(data)) return { path: data };
  const notes = { path: data, fileSha256: await sha256File(data, { signal: options.signal }) };
  return limit === undefined ? notes : { ...notes, limit: String(limit) };
}
