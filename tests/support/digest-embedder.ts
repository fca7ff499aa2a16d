import { createHash } from 'node:crypto';
import type { Embedder } from '@rarefy/core';

export interface DigestEmbedder extends Embedder<string> {
  /** Batches of all calls so far that did not fail. */
  readonly batches: string[][];
  /** Number of items in those batches. */
  items(): number;
}

/** An embedder whose rows are bytes of each text's SHA-256: exact and cheap. It records its batches. */
export function digestEmbedder(
  options: { readonly onBatch?: (items: readonly string[]) => void | Promise<void>; maxConcurrency?: number } = {},
): DigestEmbedder {
  const { onBatch, maxConcurrency = 1 } = options;
  const columns = 5;
  const batches: string[][] = [];
  return {
    batches,
    items: () => batches.reduce((sum, batch) => sum + batch.length, 0),
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: 'digest',
    capabilities: {
      dimensions: columns,
      maxBatch: 4,
      maxConcurrency,
      normalized: false,
      deterministic: true,
      batchTolerance: 0,
    },
    async embedBatch(items) {
      await onBatch?.(items);
      batches.push([...items]);
      const data = items.flatMap((text) => [...digestRow(text)]);
      return { embeddings: { data: Float32Array.from(data), rows: items.length, cols: columns } };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** The row of a text: 5 integers from 0 to 255. */
export function digestRow(text: string): Uint8Array {
  return createHash('sha256').update(text).digest().subarray(0, 5);
}
