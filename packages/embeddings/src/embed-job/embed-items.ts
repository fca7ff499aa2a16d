import {
  type CallOptions,
  type Embedder,
  embedStream,
  InvalidArgumentError,
  MissingDependencyError,
  type WorkEvent,
} from '@rarefy/core';
import { lengthBatches } from './length-batches.js';

export interface BatchOptions<Item> {
  /** Items a call of the embedder; default 32, never more than its `maxBatch`. */
  readonly batchSize?: number | undefined;
  /** Tokens a call, padding included; default no limit. Needs `countTokens`. */
  readonly batchTokens?: number | undefined;
  /** Tokens of each item as the model reads it; default their characters stand for them, to batch by length. */
  readonly countTokens?: ((items: readonly Item[]) => ArrayLike<number>) | undefined;
}

/** A row of numbers, or why there is none. */
export type EmbeddedItem =
  | { readonly row: Float32Array; readonly truncated: boolean }
  | { readonly failed: string; readonly truncated: false };

export interface ItemEmbedder<Item> {
  /** One result an item, in order. `onDone` is told how many more items are done. */
  embed(items: readonly Item[], options: CallOptions, onDone: (items: number) => void): Promise<EmbeddedItem[]>;
}

const tries = 3;
/** So many single items without one success between them, and the embedder is broken, not the items. */
const failuresInARow = 10;
/** Calls at a time where the embedder takes any number. */
const maxCalls = 8;

/**
 * Embeds items in batches of similar length. A batch that fails is tried once more, then in halves; an item that fails alone three
 * times is given up, and the others go on.
 * @throws the embedder's error when it fails for ten items in a row or for a missing library; the signal's reason on abort.
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
    throw new InvalidArgumentError('batchTokens needs countTokens; give batchSize for this embedder');
  }
  const limits = { batchSize: Math.min(batchSize, capabilities.maxBatch), batchTokens };
  let failures = 0;

  const call = async (items: readonly Item[], { signal, onEvent }: CallOptions): Promise<EmbeddedItem[]> => {
    const tell = (event: WorkEvent) => {
      if (event.type === 'work-warning' || event.type === 'work-message') onEvent?.(event);
    };
    const stream = embedStream(embedder, items, { batchSize: items.length, signal, onEvent: tell });
    const part = (await stream.next()).value!;
    const { data, cols } = part.embeddings;
    const truncated = new Set(part.truncated);
    return items.map((_, at) => ({ row: data.subarray(at * cols, (at + 1) * cols), truncated: truncated.has(at) }));
  };

  const persist = async (items: readonly Item[], options: CallOptions): Promise<EmbeddedItem[]> => {
    let error: unknown;
    for (let attempt = 0; attempt < (items.length === 1 ? tries : 2); attempt++) {
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
    if (++failures === failuresInARow) throw error;
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
            batch.map((position) => items[position]!),
            options,
          );
          batch.forEach((position, at) => {
            results[position] = rows[at]!;
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
