import type { CallOptions } from '@rarefy/core';
import { dtypeBytes, encodeRows } from '../table/embedding-dtype.js';
import { itemText, rowsDigest } from './data-rows.js';
import { type DigestTable, textDigest } from './digest-table.js';
import type { ItemEmbedder } from './embed-items.js';
import type { EmbedJob, Shard } from './shard-format.js';
import type { ShardStore } from './shard-store.js';

/** The rows of one shard, and where the item of each stood first. */
export interface ShardRows<Item> {
  readonly index: number;
  readonly start: number;
  readonly ids: readonly string[];
  readonly items: readonly Item[];
  /** Position in the data of the first row with the same item; its own for the first. */
  readonly firsts: readonly number[];
  readonly rowsSha256: string;
}

/** Gathers the rows of a shard; `firsts` of all shards share one table. */
export function shardRows<Item>(
  index: number,
  start: number,
  rows: readonly { readonly id: string; readonly item: Item }[],
  seen: DigestTable,
): ShardRows<Item> {
  const digest = rowsDigest();
  const firsts = rows.map(({ id, item }, at) => {
    const text = itemText(item);
    digest.add(id, text);
    return seen.firstOr(textDigest(text), start + at) ?? start + at;
  });
  return {
    index,
    start,
    ids: rows.map(({ id }) => id),
    items: rows.map(({ item }) => item),
    firsts,
    rowsSha256: digest.hex(),
  };
}

/** What became of a row: its stored bytes, or why there are none. */
type Outcome = { readonly bytes: Uint8Array } | { readonly failed: string };

/**
 * Computes a shard: items that stood in an earlier row are copied from there, the others embedded, so its bytes depend on its rows
 * and those before, and not on when a run was stopped.
 */
export async function embedShard<Item>(
  rows: ShardRows<Item>,
  job: EmbedJob,
  { embedder, store }: { readonly embedder: ItemEmbedder<Item>; readonly store: ShardStore },
  options: CallOptions,
  onDone: (rows: number) => void,
): Promise<{ readonly shard: Shard; readonly computed: number }> {
  const { index, start, ids, items, firsts, rowsSha256 } = rows;
  const own = firsts.flatMap((first, row) => (first === start + row ? [row] : []));
  const embedded = await embedder.embed(
    own.map((row) => items[row]!),
    options,
    onDone,
  );
  const outcomes = new Array<Outcome>(ids.length);
  const truncated = new Set<number>();
  own.forEach((row, at) => {
    const result = embedded[at]!;
    if (result.truncated) truncated.add(row);
    outcomes[row] =
      'row' in result
        ? { bytes: encodeRows(result.row, job.dimensions, job.dtype, ids, row) }
        : { failed: result.failed };
  });

  const copies = await earlierRows(firsts, start, job, store);
  firsts.forEach((first, row) => {
    if (first === start + row) return;
    if (first >= start) {
      outcomes[row] = outcomes[first - start]!;
      if (truncated.has(first - start)) truncated.add(row);
    } else {
      const copy = copies.get(first)!;
      outcomes[row] = copy.outcome;
      if (copy.truncated) truncated.add(row);
    }
  });

  const bytes = dtypeBytes(job.dtype) * job.dimensions;
  const parts = outcomes.flatMap((outcome) => ('bytes' in outcome ? [outcome.bytes] : []));
  const failed = outcomes.flatMap((outcome, row) => ('failed' in outcome ? [{ row, message: outcome.failed }] : []));
  const header = {
    ...{ job, index, start, ids, rowsSha256, failed, rowBytes: bytes },
    truncated: [...truncated].sort((a, b) => a - b),
  };
  return { shard: { header, data: Buffer.concat(parts) }, computed: own.length };
}

/** The outcomes of rows before this shard, by position. */
async function earlierRows(firsts: readonly number[], start: number, job: EmbedJob, store: ShardStore) {
  const byShard = new Map<number, number[]>();
  for (const position of [...new Set(firsts)].sort((a, b) => a - b)) {
    if (position >= start) break;
    const shard = Math.floor(position / job.shardRows);
    byShard.set(shard, [...(byShard.get(shard) ?? []), position]);
  }
  const copies = new Map<number, { readonly outcome: Outcome; readonly truncated: boolean }>();
  for (const [shard, wanted] of byShard) {
    const { truncated, failed } = await store.readHeader(shard);
    const inShard = wanted.map((position) => position - shard * job.shardRows);
    const stored = await store.readRows(shard, inShard);
    inShard.forEach((row, at) => {
      const bytes = stored[at];
      const outcome = bytes ? { bytes } : { failed: failed.find((one) => one.row === row)?.message ?? 'failed before' };
      copies.set(wanted[at]!, { outcome, truncated: truncated.includes(row) });
    });
  }
  return copies;
}
