import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  atPositions,
  type CallOptions,
  callOptionNames,
  checkEmbedder,
  checkItems,
  checkOptions,
  described,
  type Embedder,
  firstNotFinite,
  InvalidArgumentError,
  ShapeError,
  shown,
} from '@rarefy/core';
import { openRowStore } from './row-store.js';

/** `signal` and `onEvent` serve the opening of the cache. */
export interface CachedEmbedderOptions extends CallOptions {
  /**
   * Folder of the cache. Any number of embedders and processes can share it. It is created if missing and can be deleted at any
   * time.
   */
  readonly folder: string;
}

/**
 * Embeds each item once: stores its row on disk under the embedder's fingerprint and the item's content, and reads it from there in
 * this run and all later ones. Rows have checksums; a damaged row is embedded again. If the disk refuses a write, the embedder
 * emits a warning and continues without storing.
 *
 * Fingerprint and capabilities are those of `embedder`. If it is not deterministic, the first row of an item is kept. Disposing the
 * cached embedder also disposes `embedder`. If the weights of the embedder's model changed, `embedBatch` throws as the embedder
 * does, instead of returning stored rows of the earlier weights.
 * @throws InvalidArgumentError if an option is unknown, `folder` is missing, or `embedder` is not an embedder; InputError if the
 * folder cannot be used; the signal's reason on abort. `embedBatch` rejects with InvalidArgumentError for an item without a JSON
 * form, such as undefined.
 */
export async function cachedEmbedder<Item = string>(
  embedder: Embedder<Item>,
  options: CachedEmbedderOptions,
): Promise<Embedder<Item>> {
  checkOptions(options, ['folder', ...callOptionNames] satisfies (keyof CachedEmbedderOptions)[], 'cachedEmbedder');
  if (typeof options?.folder !== 'string' || options.folder === '') {
    throw new InvalidArgumentError(
      `cachedEmbedder needs \`folder\`, the folder of the cache, got ${shown(options?.folder)}`,
    );
  }
  checkEmbedder(embedder, 'cachedEmbedder');
  const { fingerprint, capabilities } = embedder;
  const { dimensions } = capabilities;
  const name = createHash('sha256').update(fingerprint).digest('hex').slice(0, 32);
  const store = await openRowStore(join(options.folder, `${name}-${dimensions}`), dimensions, options);
  let canStore = true;
  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint,
    capabilities,
    async embedBatch(items, batchOptions = {}) {
      const { signal, onEvent } = batchOptions;
      signal?.throwIfAborted();
      checkItems(items, notJson, 'a text or another item with a JSON form');
      const data = new Float32Array(items.length * dimensions);
      const truncated: number[] = [];
      const setRow = (index: number, row: Float32Array, isTruncated: boolean) => {
        data.set(row, index * dimensions);
        if (isTruncated) truncated.push(index);
      };
      await embedder.embedBatch([], batchOptions); // an embedder whose model changed refuses, even if all rows are stored
      const missing = new Map<string, number[]>(); // key → indices in the batch
      for (const [index, key] of items.map(itemKey).entries()) {
        const earlier = missing.get(key);
        const found = earlier ? undefined : await store.find(key);
        signal?.throwIfAborted();
        if (found) setRow(index, found.row, found.isTruncated);
        else if (earlier) earlier.push(index);
        else missing.set(key, [index]);
      }
      if (missing.size > 0) {
        const positions = Array.from(missing.values(), ([first]) => first!);
        const firsts = positions.map((position) => items[position]!);
        const result = await atPositions(
          (position) => positions[position]!,
          () => embedder.embedBatch(firsts, batchOptions),
        );
        if (result.embeddings.data.length !== firsts.length * dimensions) {
          throw new ShapeError(
            `the embedder returned ${result.embeddings.data.length} numbers for ${firsts.length} items of ${dimensions} dimensions`,
          );
        }
        const cut = new Set(result.truncated);
        const rows = Array.from(missing, ([key, indices], index) => {
          const row = result.embeddings.data.slice(index * dimensions, (index + 1) * dimensions);
          for (const target of indices) setRow(target, row, cut.has(index));
          return { key, isTruncated: cut.has(index), row };
        });
        if (canStore) {
          await store.add(rows.filter(({ row }) => firstNotFinite(row) < 0)).catch((error: Error) => {
            canStore = false;
            const message = `${error.message}; embedding continues, but further rows are not cached`;
            onEvent?.({ type: 'work-warning', task: 'embed', code: 'cache-not-written', message });
          });
          signal?.throwIfAborted();
        }
      }
      return {
        embeddings: { data, rows: items.length, cols: dimensions },
        ...(truncated.length > 0 ? { truncated: Uint32Array.from(truncated).sort() } : {}),
      };
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await embedder[Symbol.asyncDispose]();
    },
  };
}

/** What is wrong with an item; undefined if it has a JSON form, of which its key is made. */
function notJson(item: unknown): string | undefined {
  try {
    if (JSON.stringify(item) !== undefined) return undefined;
  } catch {
    // a bigint, or an object that contains itself
  }
  return `is ${described(item)}`;
}

/** Equal items have equal keys: SHA-256 of the item as JSON, in hexadecimal. */
function itemKey(item: unknown): string {
  return createHash('sha256').update(JSON.stringify(item)).digest('hex');
}
