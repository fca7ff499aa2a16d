import {
  type CallOptions,
  callOptionNames,
  checkEmbedder,
  checkInteger,
  checkItemList,
  checkOptions,
  counterRandom,
  type Embedder,
} from '@rarefy/core';
import { dtypeBytes, type WritableDtype } from '../table/table.js';
import { checkRow, digestTable, type EmbedRows, itemText, textDigest, withPauses } from './data-rows.js';
import { type BatchOptions, batchOptionNames, itemEmbedder } from './embed-items.js';

export interface EstimateOptions<Item = string> extends CallOptions, BatchOptions<Item> {
  readonly dtype?: WritableDtype;
  readonly shardRows?: number;
  /** Number of items to embed for the measurement; default 64. */
  readonly sample?: number;
}

const optionNames = [
  'dtype',
  'shardRows',
  'sample',
  ...batchOptionNames,
  ...callOptionNames,
] satisfies (keyof EstimateOptions)[];

export interface EmbedEstimate {
  readonly rows: number;
  /** Number of distinct items, which would be embedded. */
  readonly distinct: number;
  /** Tokens of all distinct items, extrapolated from the sample by characters; undefined without `countTokens`. */
  readonly tokens: number | undefined;
  /** Number of embedded items, and the time they took after a warm-up. */
  readonly sampled: number;
  readonly sampleSeconds: number;
  /** Time for all distinct items, extrapolated from the sample by characters. */
  readonly seconds: number;
  /** Size of the numbers in the output. The job needs about as much again for its shards. */
  readonly fileBytes: number;
  /** Memory of this process after the sample, plus one shard. */
  readonly memoryBytes: number;
}

/**
 * Estimates the work of embedding rows: reads them once and embeds a uniform sample of the distinct items. Nothing is written. The
 * sample is deterministic; the times depend on the machine and its load.
 * @throws InvalidArgumentError for options out of range, and for a row that is not `{ id, item }`; what the embedder throws; the
 * signal's reason on abort.
 */
export async function estimateEmbedding<Item>(
  embedder: Embedder<Item>,
  rows: EmbedRows<Item>,
  options: EstimateOptions<Item> = {},
): Promise<EmbedEstimate> {
  checkOptions(options, optionNames, 'estimateEmbedding');
  checkEmbedder(embedder, 'estimateEmbedding');
  checkItemList(rows, 'estimateEmbedding');
  const { countTokens, dtype = 'float32', shardRows = 512, sample = 64 } = options;
  checkInteger('sample', sample, 1);
  const random = counterRandom(1);
  const seen = digestTable();
  const chosen: Item[] = [];
  let [count, distinct, characters] = [0, 0, 0];
  for await (const row of withPauses(rows, options)) {
    checkRow(row, count++);
    const { item } = row;
    const text = itemText(item);
    if (seen.firstOr(textDigest(text), count) !== undefined) continue;
    characters += text.length;
    const index = Math.floor(random.uniform(distinct) * ++distinct); // reservoir sampling
    if (chosen.length < sample) chosen.push(item);
    else if (index < sample) chosen[index] = item;
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
