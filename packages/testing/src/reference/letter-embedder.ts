import type { Embedder } from '@rarefy/core';

const dimensions = 64;

/**
 * Counts the characters of a text by code modulo 64 and normalizes the counts to length 1. An empty text gives zeros. A text above
 * `maxCharacters` is truncated. The vectors have no semantics; this is the shortest correct embedder.
 */
export function letterEmbedder({ maxBatch = Infinity, maxCharacters = Infinity } = {}): Embedder {
  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: `letter-embedder:dimensions=${dimensions},maxCharacters=${maxCharacters}`,
    capabilities: {
      dimensions,
      maxBatch,
      maxConcurrency: 1,
      normalized: true,
      deterministic: true,
      batchTolerance: 0,
    },
    async embedBatch(items, { signal } = {}) {
      signal?.throwIfAborted();
      const data = new Float32Array(items.length * dimensions);
      const truncated: number[] = [];
      for (const [row, text] of items.entries()) {
        const counts = data.subarray(row * dimensions, (row + 1) * dimensions);
        const end = Math.min(text.length, maxCharacters);
        for (let index = 0; index < end; index++) counts[text.charCodeAt(index) % dimensions]!++;
        const length = Math.hypot(...counts) || 1;
        counts.set(counts.map((count) => count / length));
        if (end < text.length) truncated.push(row);
      }
      return { embeddings: { data, rows: items.length, cols: dimensions }, truncated: Uint32Array.from(truncated) };
    },
    async [Symbol.asyncDispose]() {},
  };
}
