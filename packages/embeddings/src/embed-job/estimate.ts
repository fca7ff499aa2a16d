import { type CallOptions, counterRandom, type Embedder } from '@rarefy/core';
import { dtypeBytes, type WritableDtype } from '../table/embedding-dtype.js';
import { calmly, type EmbedRows, itemText } from './data-rows.js';
import { digestTable, textDigest } from './digest-table.js';
import { type BatchOptions, itemEmbedder } from './embed-items.js';

export interface EstimateOptions<Item = string> extends CallOptions, BatchOptions<Item> {
  readonly dtype?: WritableDtype;
  readonly shardRows?: number;
  /** Items that are embedded to measure; default 64. */
  readonly sample?: number;
}

export interface EmbedEstimate {
  readonly rows: number;
  /** Items that are different, and so would be embedded. */
  readonly distinct: number;
  /** Of the distinct items, from the sample's tokens a character; undefined where the embedder counts none. */
  readonly tokens: number | undefined;
  /** Items that were embedded, and how long that took, after a first batch that does not count. */
  readonly sampled: number;
  readonly sampleSeconds: number;
  /** For all items, from the sample's time a token, or a character. */
  readonly seconds: number;
  /** Of the file that would be written; about as much again is needed while the job runs. */
  readonly fileBytes: number;
  /** Memory of this process after the sample, and of a shard of rows. */
  readonly memoryBytes: number;
}

/**
 * What embedding these rows would take, from one reading and a sample drawn evenly from the distinct items; nothing is written. The same rows give the
 * same sample. Times are those of this moment on this machine.
 * @throws what the embedder throws; the signal's reason on abort.
 */
export async function estimateEmbedding<Item>(
  embedder: Embedder<Item>,
  rows: EmbedRows<Item>,
  options: EstimateOptions<Item> = {},
): Promise<EmbedEstimate> {
  const { countTokens, dtype = 'float32', shardRows = 512, sample = 64 } = options;
  const random = counterRandom(1);
  const seen = digestTable();
  const chosen: Item[] = [];
  let [count, distinct, characters] = [0, 0, 0];
  for await (const { item } of calmly(rows, options)) {
    count++;
    const text = itemText(item);
    if (seen.firstOr(textDigest(text), count) !== undefined) continue;
    characters += text.length;
    const place = Math.floor(random.uniform(distinct) * ++distinct); // reservoir sampling
    if (chosen.length < sample) chosen.push(item);
    else if (place < sample) chosen[place] = item;
  }

  const items = itemEmbedder(embedder, options);
  const quiet = { signal: options.signal, onEvent: options.onEvent };
  await items.embed(chosen.slice(0, 4), quiet, () => {});
  const started = performance.now();
  await items.embed(chosen, quiet, () => {});
  const sampleSeconds = (performance.now() - started) / 1000;
  const sampleTokens = countTokens && sum(countTokens(chosen));
  const share = characters / Math.max(1, sum(chosen.map((item) => itemText(item).length)));
  const rowBytes = dtypeBytes(dtype) * embedder.capabilities.dimensions;
  return {
    rows: count,
    distinct,
    tokens: sampleTokens === undefined ? undefined : Math.round(sampleTokens * share),
    sampled: chosen.length,
    sampleSeconds,
    seconds: sampleSeconds * share,
    fileBytes: count * rowBytes,
    memoryBytes:
      process.memoryUsage.rss() + Math.min(count, shardRows) * (rowBytes + 4 * embedder.capabilities.dimensions),
  };
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < values.length; index++) total += values[index]!;
  return total;
}
