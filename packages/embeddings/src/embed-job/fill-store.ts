import { type CallOptions, CorruptFileError, InputError, type Progress } from '@rarefy/core';
import { quoted } from '@rarefy/io';
import { digestTable, type EmbedRow, type EmbedRows, rowsDigest, withPauses } from './data-rows.js';
import type { ItemEmbedder } from './embed-items.js';
import { embedShard, type ShardRows, shardRows } from './embed-shard.js';
import type { FailedRow } from './manifest.js';
import type { EmbedJob, ShardHeader } from './shard-format.js';
import type { ShardStore } from './shard-store.js';

/** What a job's shards contain, and how many rows were computed. */
export interface JobTotals {
  /** Ids of the rows that have an embedding, in order. */
  readonly ids: readonly string[];
  /** Number of these rows in each shard. */
  readonly rowsOf: readonly number[];
  readonly resumed: number;
  readonly computed: number;
  readonly distinct: number;
  readonly truncated: number;
  readonly failed: readonly FailedRow[];
}

/** Computes the missing shards. @throws InputError if the rows differ from the first reading. */
export async function fillStore<Item>(
  job: EmbedJob,
  rows: EmbedRows<Item>,
  embedder: ItemEmbedder<Item>,
  store: ShardStore,
  progress: Progress,
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
      progress.report(done);
      return;
    }
    if (totals.resumed > 0 && totals.computed === 0) {
      const message = `continuing after ${totals.resumed} of ${job.rows} rows`;
      onEvent?.({ type: 'work-message', task: 'embed', message });
    }
    let finished = done;
    const { shard, computed } = await embedShard(part, job, { embedder, store }, options, (items) => {
      finished += items;
      progress.report(finished);
    });
    await store.write(shard);
    totals.computed += computed;
    done += batch.length;
    for (const { row, message } of shard.header.failed) {
      const text = `the row ${quoted(part.ids[row]!)} cannot be embedded: ${message}`;
      onEvent?.({ type: 'work-warning', task: 'embed', code: 'row-failed', message: text });
    }
    add(shard.header, part);
    progress.report(done);
  };

  let batch: EmbedRow<Item>[] = [];
  for await (const row of withPauses(rows, options)) {
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
      'the data changed between its two readings; pass rows that can be read twice, and do not change them during the job.',
    );
  }
  return { ...totals, ids, rowsOf, failed };
}

/** Header of a shard that an earlier run saved; undefined if it is missing, or damaged, which is reported. */
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
    const message = `${error.message}; it is being computed again`;
    onEvent?.({ type: 'work-warning', task: 'embed', code: 'damaged-shard', message });
    return undefined;
  }
}
