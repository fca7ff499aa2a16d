import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type CallOptions, type Embedder, ShapeError } from '@rarefy/core';
import { itemKey } from './cached/record.js';
import { openRowStore } from './cached/row-store.js';

export interface CachedEmbedderOptions {
  /** Folder of the cache; one for any number of embedders and processes. It is made when it is missing, and may be deleted any time. */
  readonly folder: string;
}

/**
 * Embeds each item once: its row is kept on disk under the embedder's fingerprint and the item's content, and the same embedder finds it
 * again in any later run. Rows are checksummed; a damaged one is embedded again. When the disk refuses, a warning is told and
 * embedding goes on without keeping.
 *
 * Fingerprint and capabilities are those of the embedder, since the numbers are; a row stays as it came out first, which for an embedder
 * that is not deterministic is one of several. Disposing of it disposes of the embedder too.
 * @throws InputError when the folder cannot be used; the signal's reason on abort.
 */
export async function cachedEmbedder<Item = string>(
  embedder: Embedder<Item>,
  { folder }: CachedEmbedderOptions,
  options: CallOptions = {},
): Promise<Embedder<Item>> {
  const { fingerprint, capabilities } = embedder;
  const { dimensions } = capabilities;
  const name = createHash('sha256').update(fingerprint).digest('hex').slice(0, 32);
  const store = await openRowStore(join(folder, `${name}-${dimensions}`), dimensions, options);
  let keeps = true;
  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint,
    capabilities,
    async embedBatch(items, callOptions = {}) {
      const { signal, onEvent } = callOptions;
      signal?.throwIfAborted();
      const keys = items.map(itemKey);
      const data = new Float32Array(items.length * dimensions);
      const truncated: number[] = [];
      const place = (position: number, row: Float32Array, isCut: boolean) => {
        data.set(row, position * dimensions);
        if (isCut) truncated.push(position);
      };
      const missing = new Map<string, number[]>(); // key → positions
      for (const [position, key] of keys.entries()) {
        const earlier = missing.get(key);
        const found = earlier ? undefined : await store.find(key);
        if (found) place(position, found.row, found.isCut);
        else if (earlier) earlier.push(position);
        else missing.set(key, [position]);
      }
      if (missing.size > 0) {
        signal?.throwIfAborted();
        const firsts = Array.from(missing.values(), ([first]) => items[first!]!);
        const result = await embedder.embedBatch(firsts, callOptions);
        if (result.embeddings.data.length !== firsts.length * dimensions) {
          throw new ShapeError(
            `the embedder returned ${result.embeddings.data.length} numbers for ${firsts.length} items of ${dimensions} dimensions`,
          );
        }
        const cut = new Set(result.truncated);
        const rows = Array.from(missing.keys(), (key, index) => ({
          key,
          isCut: cut.has(index),
          row: result.embeddings.data.slice(index * dimensions, (index + 1) * dimensions),
        }));
        for (const { key, row, isCut } of rows) for (const position of missing.get(key)!) place(position, row, isCut);
        if (keeps) {
          const sound = rows.filter(({ row }) => row.every(Number.isFinite));
          await store.add(sound).catch((error: Error) => {
            keeps = false;
            const message = `${error.message}; embedding goes on, and what comes now is not kept`;
            onEvent?.({ type: 'work-warning', task: 'embed', code: 'cache-not-written', message });
          });
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
