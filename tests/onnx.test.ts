import { readFileSync } from 'node:fs';
import { embed } from '@rarefy/core';
import { onnxEmbedder } from '@rarefy/embedders/onnx';
import { readSafetensors, toFloat32 } from '@rarefy/io';
import { embedderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenPath } from './support/golden.js';
import { miniLm, onnxReason, onnxRuntime } from './support/onnx-components.js';

const golden = JSON.parse(readFileSync(goldenPath('minilm.json'), 'utf8')) as { texts: string[] };

describe.skipIf(onnxReason !== '')(`onnxEmbedder with all-MiniLM-L6-v2${onnxReason}`, { timeout: 300_000 }, () => {
  let embedder: Awaited<ReturnType<typeof onnxEmbedder>>;
  let expected: Float32Array;
  beforeAll(async () => {
    embedder = await onnxEmbedder(miniLm, { lib: onnxRuntime });
    const { tensors } = await readSafetensors(goldenPath('minilm.safetensors'));
    expected = toFloat32(tensors.get('embeddings')!);
  });
  afterAll(() => embedder[Symbol.asyncDispose]());

  test('rows equal those of sentence-transformers, with any batch size and order', async () => {
    expect(expected.length).toBe(golden.texts.length * 384);
    for (const batchSize of [1, 5, 26]) {
      const { data } = await embed(embedder, golden.texts, { batchSize });
      expect(largestDifference(data, expected)).toBeLessThan(1e-5);
    }
    const { data } = await embed(embedder, golden.texts.toReversed(), { batchSize: 26 });
    const reversed = golden.texts.map((_, row) => data.subarray((25 - row) * 384, (26 - row) * 384));
    for (const [row, values] of reversed.entries()) {
      expect(largestDifference(values, expected.subarray(row * 384, (row + 1) * 384))).toBeLessThan(1e-5);
    }
  });

  test('reports texts of more than 256 tokens', async () => {
    const { truncated } = await embedder.embedBatch(golden.texts);
    expect([...truncated!].map((row) => golden.texts[row]!.slice(0, 15))).toEqual(['word word word ']);
  });

  describeChecks('conformance', embedderChecks({ create: () => onnxEmbedder(miniLm, { lib: onnxRuntime }) }));
});

function largestDifference(actual: ArrayLike<number>, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  return expected.reduce((largest, value, index) => Math.max(largest, Math.abs(value - actual[index]!)), 0);
}
