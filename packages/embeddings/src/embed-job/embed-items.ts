import {
  type CallOptions,
  type Embedder,
  embedStream,
  InvalidArgumentError,
  MissingDependencyError,
  type WorkEvent,
} from '@rarefy/core';

export interface BatchOptions<Item> {
  /** Maximum number of items per batch; default 32, and never more than the embedder's `maxBatch`. */
  readonly batchSize?: number | undefined;
  /** Maximum number of tokens per batch, including padding; default: no limit. Needs `countTokens`. */
  readonly batchTokens?: number | undefined;
  /** Number of tokens of each item as the model reads it; default: batches are formed by the number of characters. */
  readonly countTokens?: ((items: readonly Item[]) => ArrayLike<number>) | undefined;
}

/** Names of {@link BatchOptions}. */
export const batchOptionNames = ['batchSize', 'batchTokens', 'countTokens'] satisfies (keyof BatchOptions<unknown>)[];

/** The embedding of an item, or why there is none. */
export type EmbeddedItem =
  | { readonly row: Float32Array; readonly truncated: boolean }
  | { readonly failed: string; readonly truncated: false };

export interface ItemEmbedder<Item> {
  /** One result per item, in order. `onDone` receives the number of items that have just finished. */
  embed(items: readonly Item[], options: CallOptions, onDone: (items: number) => void): Promise<EmbeddedItem[]>;
}

const maxAttempts = 3;
/** After so many failed single items without a success, the embedder is considered broken. */
const maxFailuresInARow = 10;
/** Concurrent calls if the embedder does not limit them. */
const maxCalls = 8;

/**
 * Embeds items in batches of similar length. A failed batch is retried once, then split in halves; an item that fails alone three
 * times is skipped.
 * @throws the embedder's error if it fails for ten items in a row or for a missing library; the signal's reason on abort.
 */
export function itemEmbedder<Item>(embedder: Embedder<Item>, batching: BatchOptions<Item>): ItemEmbedder<Item> {
  const { batchSize = 32, batchTokens = Number.POSITIVE_INFINITY, countTokens } = batching;
  for (const [name, value] of Object.entries({ batchSize, batchTokens })) {
    if (!(value >= 1 && (Number.isInteger(value) || (name === 'batchTokens' && value === Infinity)))) {
      throw new InvalidArgumentError(`${name} must be an integer ≥ 1, got ${value}`);
    }
  }
  const { capabilities } = embedder;
  if (Number.isFinite(batchTokens) && !countTokens) {
    throw new InvalidArgumentError('batchTokens needs countTokens; use batchSize for this embedder');
  }
  const limits = { batchSize: Math.min(batchSize, capabilities.maxBatch), batchTokens };
  let failures = 0;

  const call = async (items: readonly Item[], { signal, onEvent }: CallOptions): Promise<EmbeddedItem[]> => {
    const onPartEvent = (event: WorkEvent) => {
      if (event.type === 'work-warning' || event.type === 'work-message') onEvent?.(event);
    };
    const stream = embedStream(embedder, items, { batchSize: items.length, signal, onEvent: onPartEvent });
    const part = (await stream.next()).value!;
    const { data, cols } = part.embeddings;
    const truncated = new Set(part.truncated);
    return items.map((_, row) => ({ row: data.subarray(row * cols, (row + 1) * cols), truncated: truncated.has(row) }));
  };

  const persist = async (items: readonly Item[], options: CallOptions): Promise<EmbeddedItem[]> => {
    let error: unknown;
    for (let attempt = 0; attempt < (items.length === 1 ? maxAttempts : 2); attempt++) {
      try {
        const rows = await call(items, options);
        failures = 0;
        return rows;
      } catch (cause) {
        options.signal?.throwIfAborted();
        if (MissingDependencyError.isInstance(cause)) throw cause;
        error = cause;
      }
    }
    if (items.length > 1) {
      const half = items.length >> 1;
      const first = await persist(items.slice(0, half), options);
      return [...first, ...(await persist(items.slice(half), options))];
    }
    if (++failures === maxFailuresInARow) throw error;
    return [{ failed: error instanceof Error ? error.message : String(error), truncated: false }];
  };

  return {
    async embed(items, options, onDone) {
      const results = new Array<EmbeddedItem>(items.length);
      const batches = lengthBatches(countTokens?.(items) ?? items.map(textLength), limits);
      let next = 0;
      let broken = false;
      const work = async () => {
        while (next < batches.length && !broken) {
          const batch = batches[next++]!;
          options.signal?.throwIfAborted();
          const rows = await persist(
            batch.map((index) => items[index]!),
            options,
          );
          batch.forEach((index, row) => {
            results[index] = rows[row]!;
          });
          onDone(batch.length);
        }
      };
      const calls = Math.max(1, Math.min(capabilities.maxConcurrency, maxCalls, batches.length));
      const stop = (error: unknown) => {
        broken = true;
        throw error;
      };
      const ends = await Promise.allSettled(Array.from({ length: calls }, () => work().catch(stop)));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      return results;
    },
  };
}

function textLength(item: unknown): number {
  return typeof item === 'string' ? item.length : JSON.stringify(item).length;
}

/**
 * Groups indices into batches of similar lengths, longest first: batches have little padding, and one that is too large for the
 * memory fails at the beginning. A batch has at most `batchSize` items and, padded to its longest item, at most `batchTokens`
 * tokens; a longer item is a batch of its own.
 */
function lengthBatches(
  lengths: ArrayLike<number>,
  { batchSize, batchTokens }: { readonly batchSize: number; readonly batchTokens: number },
): number[][] {
  const order = Array.from({ length: lengths.length }, (_, index) => index);
  order.sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const batches: number[][] = [];
  let longest = 0;
  for (const index of order) {
    const batch = batches.at(-1);
    if (batch && batch.length < batchSize && longest * (batch.length + 1) <= batchTokens) batch.push(index);
    else {
      batches.push([index]);
      longest = lengths[index]!;
    }
  }
  return batches;
}
