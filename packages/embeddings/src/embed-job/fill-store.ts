import { type CallOptions, CorruptFileError, InputError } from '@rarefy/core';
import { quoted } from '@rarefy/io';
import { calmly, type EmbedRow, type EmbedRows, rowsDigest } from './data-rows.js';
import { digestTable } from './digest-table.js';
import type { ItemEmbedder } from './embed-items.js';
import { embedShard, type ShardRows, shardRows } from './embed-shard.js';
import type { FailedRow } from './manifest.js';
import type { EmbedJob, ShardHeader } from './shard-format.js';
import type { ShardStore } from './shard-store.js';

/** What a job's shards hold, and who computed them. */
export interface JobTotals {
  /** Of the rows that have numbers, in order. */
  readonly ids: readonly string[];
  /** How many those are in each shard. */
  readonly rowsOf: readonly number[];
  readonly resumed: number;
  readonly computed: number;
  readonly distinct: number;
  readonly truncated: number;
  readonly failed: readonly FailedRow[];
}

/** Computes the shards that are not there yet. @throws InputError when the rows are others than those surveyed. */
export async function fillStore<Item>(
  job: EmbedJob,
  rows: EmbedRows<Item>,
  embedder: ItemEmbedder<Item>,
  store: ShardStore,
  options: CallOptions & { readonly skipFailed?: boolean },
): Promise<JobTotals> {
  const { onEvent, skipFailed = false } = options;
  const totals = { resumed: 0, computed: 0, distinct: 0, truncated: 0 };
  const ids: string[] = [];
  const rowsOf: number[] = [];
  const failed: FailedRow[] = [];
  const seen = digestTable();
  const digest = rowsDigest();
  let done = 0;

  const add = (header: ShardHeader, part: ShardRows<Item>) => {
    const missing = new Set(header.failed.map(({ row }) => row));
    header.ids.forEach((id, row) => {
      if (!missing.has(row)) ids.push(id);
    });
    rowsOf.push(header.ids.length - missing.size);
    totals.truncated += header.truncated.length;
    totals.distinct += part.firsts.filter((first, row) => first === part.start + row).length;
    for (const { row, message } of header.failed) failed.push({ id: header.ids[row]!, message });
  };
  const take = async (batch: readonly EmbedRow<Item>[]) => {
    const part = shardRows(rowsOf.length, done, batch, seen);
    const there = await savedShard(store, part, options);
    if (there && (there.failed.length === 0 || skipFailed)) {
      totals.resumed += batch.length;
      done += batch.length;
      add(there, part);
      onEvent?.({ type: 'work-progress', task: 'embed', done, total: job.rows });
      return;
    }
    if (totals.resumed > 0 && totals.computed === 0) {
      const message = `going on after ${totals.resumed} of ${job.rows} rows`;
      onEvent?.({ type: 'work-message', task: 'embed', message });
    }
    let at = done;
    const { shard, computed } = await embedShard(part, job, { embedder, store }, options, (items) => {
      at += items;
      onEvent?.({ type: 'work-progress', task: 'embed', done: at, total: job.rows });
    });
    await store.write(shard);
    totals.computed += computed;
    done += batch.length;
    for (const { row, message } of shard.header.failed) {
      const text = `the row ${quoted(part.ids[row]!)} cannot be embedded: ${message}`;
      onEvent?.({ type: 'work-warning', task: 'embed', code: 'row-failed', message: text });
    }
    add(shard.header, part);
    onEvent?.({ type: 'work-progress', task: 'embed', done, total: job.rows });
  };

  let batch: EmbedRow<Item>[] = [];
  for await (const row of calmly(rows, options)) {
    batch.push(row);
    if (batch.length < job.shardRows) continue;
    for (const { id, item } of batch) digest.add(id, JSON.stringify(item));
    await take(batch);
    batch = [];
  }
  for (const { id, item } of batch) digest.add(id, JSON.stringify(item));
  if (batch.length > 0) await take(batch);
  if (done !== job.rows || digest.hex() !== job.rowsSha256) {
    throw new InputError(
      'the data was another one at the second reading; give rows that can be read twice, and do not change them meanwhile.',
    );
  }
  return { ...totals, ids, rowsOf, failed };
}

/** The header of a shard that an earlier run saved, when every byte of it is sound; a damaged one is told. */
async function savedShard<Item>(
  store: ShardStore,
  part: ShardRows<Item>,
  { onEvent }: CallOptions,
): Promise<ShardHeader | undefined> {
  if (!store.has(part.index)) return undefined;
  try {
    const { header } = await store.read(part.index);
    return header.rowsSha256 === part.rowsSha256 && header.start === part.start ? header : undefined;
  } catch (error) {
    if (!CorruptFileError.isInstance(error)) throw error;
    const message = `${error.message}; it is computed again`;
    onEvent?.({ type: 'work-warning', task: 'embed', code: 'damaged-shard', message });
    return undefined;
  }
}
