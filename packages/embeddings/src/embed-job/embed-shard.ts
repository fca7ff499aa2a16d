import type { CallOptions } from '@rarefy/core';
import { dtypeBytes, encodeRows } from '../table/table.js';
import { type DigestTable, itemText, rowsDigest, textDigest } from './data-rows.js';
import type { ItemEmbedder } from './embed-items.js';
import type { EmbedJob, Shard } from './shard-format.js';
import type { ShardStore } from './shard-store.js';

/** The rows of one shard, and where the item of each row first occurred. */
export interface ShardRows<Item> {
  readonly index: number;
  readonly start: number;
  readonly ids: readonly string[];
  readonly items: readonly Item[];
  /** Position in the data of the first row with the same item; its own for the first. */
  readonly firsts: readonly number[];
  readonly rowsSha256: string;
}

/** Collects the rows of a shard. All shards of a job share the table `seen`. */
export function shardRows<Item>(
  index: number,
  start: number,
  rows: readonly { readonly id: string; readonly item: Item }[],
  seen: DigestTable,
): ShardRows<Item> {
  const digest = rowsDigest();
  const firsts = rows.map(({ id, item }, row) => {
    const text = itemText(item);
    digest.add(id, text);
    return seen.firstOr(textDigest(text), start + row) ?? start + row;
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

/** Outcome of a row: its stored bytes, or why it failed. */
type Outcome = { readonly bytes: Uint8Array } | { readonly failed: string };

/**
 * Computes a shard. Items that occurred in an earlier row are copied from there, the others are embedded: so the bytes depend on
 * its rows and the rows before, not on where a run was interrupted.
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
  own.forEach((row, index) => {
    const result = embedded[index]!;
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

/** Outcomes of rows in earlier shards, by position. */
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
    inShard.forEach((row, index) => {
      const bytes = stored[index];
      const outcome = bytes
        ? { bytes }
        : { failed: failed.find((one) => one.row === row)?.message ?? 'failed earlier' };
      copies.set(wanted[index]!, { outcome, truncated: truncated.includes(row) });
    });
  }
  return copies;
}
