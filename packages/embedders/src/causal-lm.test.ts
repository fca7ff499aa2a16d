import { embed, type WorkEvent } from '@rarefy/core';
import {
  activate,
  type CausalLanguageModel,
  fromForwardModel,
  initialWeights,
  languageModel,
  trainBytePairTokenizer,
} from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hiddenStateEmbedder, logitsEmbedder } from './causal-lm.js';

const tokenizer = trainBytePairTokenizer(['how do I bake bread', 'where is the garden'], { vocabularySize: 300 });
const config = (family: object) => ({
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 48,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
  ...family,
});
const llama = config({ model_type: 'llama' });
const nanochat = config({ model_type: 'nanochat', final_logit_softcapping: 15 });
const items = [
  'how do I bake bread',
  { prompt: 'where?', assistant: 'in the garden' },
  'a',
  '',
  'where is the garden of the bread that I bake',
];

let models: Record<'llama' | 'nanochat', CausalLanguageModel>;
beforeAll(async () => {
  await activate('cpu');
  models = {
    llama: languageModel(llama, initialWeights(llama, 1)),
    nanochat: languageModel(nanochat, initialWeights(nanochat, 2)),
  };
});
afterAll(() => Object.values(models).forEach((model) => void model.dispose()));

test.each(['llama', 'nanochat'] as const)(
  'a %s row does not depend on its batch, and nothing is left behind',
  async (family) => {
    for (const create of [hiddenStateEmbedder, logitsEmbedder]) {
      const embedder = await create({ model: models[family], tokenizer });
      const before = tf.memory().numTensors;
      const together = await embed(embedder, items, { batchSize: 5 });
      const alone = await embed(embedder, items, { batchSize: 1 });
      expect(together.cols).toBe(embedder.capabilities.dimensions);
      const difference = Math.max(...together.data.map((value, index) => Math.abs(value - alone.data[index]!)));
      expect(difference).toBeLessThan(embedder.capabilities.batchTolerance);
      for (let row = 0; row < items.length; row++) {
        expect(Math.hypot(...together.data.subarray(row * together.cols, (row + 1) * together.cols))).toBeCloseTo(1, 5);
      }
      expect(tf.memory().numTensors).toBe(before);
    }
  },
);

test('an answer is part of the text, and cut texts are told', async () => {
  const embedder = await hiddenStateEmbedder({ model: models.llama, tokenizer }, { maxTokens: 16 });
  const { embeddings, truncated } = await embedder.embedBatch([
    'where?',
    { prompt: 'where?', assistant: 'here' },
    'bread '.repeat(30),
  ]);
  const row = (index: number) => embeddings.data.subarray(index * 24, (index + 1) * 24);
  expect([...row(0)]).not.toEqual([...row(1)]);
  expect([...truncated!]).toEqual([2]);
});

test('fingerprints tell models, options and ways of pooling apart', async () => {
  const loaded = { model: models.llama, tokenizer };
  const all = await Promise.all([
    hiddenStateEmbedder(loaded),
    hiddenStateEmbedder(loaded, { maxTokens: 32 }),
    logitsEmbedder(loaded),
    hiddenStateEmbedder({ model: models.nanochat, tokenizer }),
  ]);
  expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(4);
  expect((await hiddenStateEmbedder(loaded)).fingerprint).toBe(all[0]!.fingerprint);
});

test('a linear head is embedded in hidden size, a soft-capped one says that it is vocabulary-wide', async () => {
  const events: WorkEvent[] = [];
  const onEvent = (event: WorkEvent) => void events.push(event);
  const linear = await logitsEmbedder({ model: models.llama, tokenizer });
  await linear.embedBatch(['a'], { onEvent });
  expect(linear.capabilities.dimensions).toBe(24);
  expect(events).toEqual([]);
  const capped = await logitsEmbedder({ model: models.nanochat, tokenizer });
  await capped.embedBatch(['a'], { onEvent });
  expect(capped.capabilities.dimensions).toBe(tokenizer.vocabularySize);
  expect(events).toMatchObject([{ type: 'work-warning', code: 'vocabulary-wide-embedding' }]);
});

test("a user's own model whose head has a bias: distances of its mean logits, in hidden size and one", async () => {
  const { llama } = models;
  const bias = tf.randomNormal<tf.Rank.R1>([llama.description.vocabularySize], 0, 0.2, 'float32', 4);
  const head = { weight: llama.head.weight, bias };
  const custom = fromForwardModel({ forward: (ids, mask) => llama.forward(ids, mask) }, { head, maxPositions: 64 });
  const embedder = await logitsEmbedder({ model: custom, tokenizer });
  expect(embedder.capabilities.dimensions).toBe(25);
  const { data } = await embed(embedder, items);
  // A cap that caps nothing takes the way over the logits themselves.
  const loose = fromForwardModel({ forward: custom.forward }, { head: { ...head, softCap: 1e4 }, maxPositions: 64 });
  const wide = await embed(await logitsEmbedder({ model: loose, tokenizer }), items);
  for (let a = 0; a < items.length; a++) {
    for (let b = 0; b < a; b++) expect(distance(data, 25, a, b)).toBeCloseTo(distance(wide.data, wide.cols, a, b), 5);
  }
  const short = { weight: head.weight, bias: tf.zeros<tf.Rank.R1>([3]) };
  expect(() => fromForwardModel(custom, { head: short, maxPositions: 64 })).toThrow('the head has 3 biases');
  tf.dispose([bias, short.bias]);
});

function distance(data: Float32Array, cols: number, a: number, b: number): number {
  let squares = 0;
  for (let i = 0; i < cols; i++) squares += (data[a * cols + i]! - data[b * cols + i]!) ** 2;
  return Math.sqrt(squares);
}
