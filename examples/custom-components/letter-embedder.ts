import type { Embedder } from '@rarefy/core';

/** 26 columns: the count of each letter. */
export function letterEmbedder(): Embedder {
  return {
    specificationVersion: 'v1',
    kind: 'embedder',
    fingerprint: 'letters',
    capabilities: {
      dimensions: 26,
      maxBatch: Number.POSITIVE_INFINITY,
      maxConcurrency: Number.POSITIVE_INFINITY,
      normalized: false,
      deterministic: true,
      batchTolerance: 0,
    },
    async embedBatch(texts, { signal } = {}) {
      signal?.throwIfAborted();
      const data = new Float32Array(texts.length * 26);
      for (const [row, text] of texts.entries()) {
        for (const letter of text.toLowerCase().match(/[a-z]/g) ?? []) data[row * 26 + letter.charCodeAt(0) - 97]! += 1;
      }
      return { embeddings: { data, rows: texts.length, cols: 26 } };
    },
    async [Symbol.asyncDispose]() {}, // frees a model, closes a connection
  };
}
