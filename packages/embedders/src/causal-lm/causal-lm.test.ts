import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embed, InvalidArgumentError, type WorkEvent } from '@rarefy/core';
import {
  activate,
  type CausalLanguageModel,
  fromForwardModel,
  initialWeights,
  languageModel,
  padRight,
} from '@rarefy/lm';
import { chatFormat, trainBytePairTokenizer } from '@rarefy/tokenizers';
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
  'a row of %s does not depend on its batch, and no tensor leaks',
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

test('an answer is part of the text, and truncated texts are reported', async () => {
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

test('pooling by the last token and by the maximum uses only real tokens, in any batch', async () => {
  const model = models.llama;
  for (const pooling of ['lasttoken', 'max'] as const) {
    const embedder = await hiddenStateEmbedder({ model, tokenizer }, { pooling });
    const texts = items.filter((item) => typeof item === 'string');
    const { data, cols } = await embed(embedder, texts, { batchSize: texts.length });
    const before = tf.memory().numTensors;
    texts.forEach((text, row) => {
      const ids = chatFormat(tokenizer).prompt(text, 64).ids;
      const states = tf.tidy(() => {
        const { ids: input, mask } = padRight([ids]);
        return model.hiddenStates(input, mask).arraySync()[0]!;
      });
      const column = (index: number) => states.map((state) => state[index]!);
      const pooled = states[0]!.map((_, index) =>
        pooling === 'max' ? Math.max(...column(index)) : column(index).at(-1)!,
      );
      const length = Math.hypot(...pooled);
      pooled.forEach((value, index) => {
        expect(data[row * cols + index]).toBeCloseTo(value / length, 5);
      });
    });
    expect(tf.memory().numTensors).toBe(before);
  }
  await expect(hiddenStateEmbedder({ model, tokenizer }, { pooling: 'cls' as 'max' })).rejects.toThrow(
    'pooling must be one of mean, lasttoken, max, got cls',
  );
});

test('no pass through the model has more tokens than batchTokens, and rows stay in order', async () => {
  const shapes: number[][] = [];
  const model: CausalLanguageModel = {
    ...models.llama,
    hiddenStates(ids, mask, options) {
      shapes.push(ids.shape);
      return models.llama.hiddenStates(ids, mask, options);
    },
  };
  const texts = Array.from({ length: 40 }, (_, row) => 'bread '.repeat((7 * row) % 23));
  const embedder = await hiddenStateEmbedder({ model, tokenizer }, { batchTokens: 60 });
  const { data } = await embed(embedder, texts, { batchSize: 40 });
  expect(shapes.length).toBeGreaterThan(5);
  for (const [rows, length] of shapes) expect(rows === 1 || rows! * length! <= 60).toBe(true);
  expect(shapes.reduce((sum, [rows]) => sum + rows!, 0)).toBe(texts.length);
  const alone = await embed(await hiddenStateEmbedder({ model: models.llama, tokenizer }), texts, { batchSize: 1 });
  expect(Math.max(...data.map((value, index) => Math.abs(value - alone.data[index]!)))).toBeLessThan(1e-5);
  for (const batchTokens of [0, 1.5]) {
    await expect(hiddenStateEmbedder({ model, tokenizer }, { batchTokens })).rejects.toThrow(
      'batchTokens must be an integer',
    );
  }
});

test('countTokens includes chat marks and applies the maximum length', async () => {
  const embedder = await hiddenStateEmbedder({ model: models.llama, tokenizer }, { maxTokens: 16 });
  const format = chatFormat(tokenizer);
  expect([...embedder.countTokens(['where?', { prompt: 'a', assistant: 'b' }, 'bread '.repeat(30)])]).toEqual([
    format.prompt('where?', 16).ids.length,
    format.conversation('a', 'b', 16).ids.length,
    16,
  ]);
});

test('models, options and poolings have different fingerprints', async () => {
  const loaded = { model: models.llama, tokenizer };
  const all = await Promise.all([
    hiddenStateEmbedder(loaded),
    hiddenStateEmbedder(loaded, { maxTokens: 32 }),
    hiddenStateEmbedder(loaded, { pooling: 'lasttoken' }),
    hiddenStateEmbedder(loaded, { pooling: 'max' }),
    logitsEmbedder(loaded),
    hiddenStateEmbedder({ model: models.nanochat, tokenizer }),
  ]);
  expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(all.length);
  expect((await hiddenStateEmbedder(loaded)).fingerprint).toBe(all[0]!.fingerprint);
});

test('turns and a format of one’s own', async () => {
  const loaded = { model: models.llama, tokenizer };
  const format = chatFormat(tokenizer);
  const turns = [
    { role: 'user', content: 'how do I' },
    { role: 'assistant', content: 'where' },
    { role: 'user', content: 'bake bread' },
  ];
  const template = '{% for m in messages %}<|user_start|>{{ m.content }}<|user_end|>{% endfor %}';
  const own = chatFormat(tokenizer, { template });
  const [byDefault, byOwn] = await Promise.all([
    hiddenStateEmbedder(loaded),
    hiddenStateEmbedder(loaded, { format: own }),
  ]);
  const counts = (chosen: typeof format) =>
    [chosen.prompt(turns), chosen.conversation(turns, 'a')].map(({ ids }) => ids.length);
  const texts = [{ prompt: turns }, { prompt: turns, assistant: 'a' }];
  expect([...byDefault.countTokens(texts)]).toEqual(counts(format));
  expect([...byOwn.countTokens(texts)]).toEqual(counts(own));
  expect(byOwn.fingerprint).not.toBe(byDefault.fingerprint);
  expect((await hiddenStateEmbedder({ ...loaded, tokenizer: { ...tokenizer, chat: { template } } })).fingerprint).toBe(
    byOwn.fingerprint,
  );
  await expect(byDefault.embedBatch([{ prompt: turns.slice(0, 2) }])).rejects.toThrow(
    'must end with a message of the role user',
  );
});

test('a linear head gives rows in hidden size; a soft-capped one warns that rows are as wide as the vocabulary', async () => {
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

test('rows of a soft-capped head are on disk while in use and equal those of embedBatch', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rarefy-logits-'));
  const events: WorkEvent[] = [];
  const onEvent = (event: WorkEvent) => void events.push(event);
  const embedder = await logitsEmbedder({ model: models.nanochat, tokenizer }, { folder });
  const expected = await embed(embedder, items, { batchSize: 2 });
  const rows = await embedder.embedRows!(items, { batchSize: 2, onEvent });
  expect(await rows.read(0, items.length)).toEqual(expected);
  expect(await rows.read(1, 3)).toMatchObject({ data: expected.data.slice(expected.cols, 3 * expected.cols) });
  expect([rows.fingerprint, rows.distanceError]).toEqual([embedder.fingerprint, undefined]);
  expect(events.filter(({ type }) => type === 'work-warning')).toMatchObject([{ code: 'vocabulary-wide-rows' }]);
  await rows[Symbol.asyncDispose]();
  const reason = new Error('enough');
  const controller = new AbortController();
  const stopped = embedder.embedRows!(items, {
    batchSize: 1,
    signal: controller.signal,
    onEvent: ({ type }) => type === 'work-progress' && controller.abort(reason),
  });
  await expect(stopped).rejects.toBe(reason);
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });

  const linear = await logitsEmbedder({ model: models.llama, tokenizer }, { diskBytes: 0 });
  await using short = await linear.embedRows!(items);
  expect(await short.read(0, items.length)).toEqual(await embed(linear, items));
  expect(short.fingerprint).toBe(linear.fingerprint);
});

test('rows that exceed diskBytes are projected, and the error of their distances is measured and reported', async () => {
  const many = Array.from({ length: 150 }, (_, row) => `bread ${row} ${'garden '.repeat(row % 7)}`);
  const loaded = { model: models.nanochat, tokenizer };
  const exact = await embed(await logitsEmbedder(loaded), many);
  const messages: string[] = [];
  const onEvent = (event: WorkEvent) => {
    if (event.type === 'work-warning' && event.code === 'projected-rows') messages.push(event.message);
  };
  const embedder = await logitsEmbedder(loaded, { diskBytes: 150 * exact.cols * 4 - 1, projectedColumns: 128 });
  await using rows = await embedder.embedRows!(many, { onEvent });
  const { data, cols } = await rows.read(0, many.length);
  expect(cols).toBe(128);
  expect(rows.fingerprint).toBe(`hashed-projection:columns=128,seed=0:(${embedder.fingerprint})`);
  const { pairs, median, percentile95, largest } = rows.distanceError!;
  expect(pairs).toBe((64 * 63) / 2);
  expect(messages).toHaveLength(1);
  expect(messages[0]).toContain(`off by ${(100 * median).toPrecision(2)} % (median)`);
  // The reported error is measured on a sample; the error over all pairs is close to it.
  const errors: number[] = [];
  for (let a = 0; a < many.length; a++) {
    for (let b = 0; b < a; b++)
      errors.push(Math.abs(distance(data, 128, a, b) / distance(exact.data, exact.cols, a, b) - 1));
  }
  errors.sort((a, b) => a - b);
  expect(median).toBeGreaterThan(errors[Math.floor(0.3 * errors.length)]!);
  expect(median).toBeLessThan(errors[Math.floor(0.7 * errors.length)]!);
  expect(percentile95).toBeGreaterThan(median);
  expect(largest).toBeLessThanOrEqual(errors.at(-1)! * (1 + 1e-6));
  await expect(logitsEmbedder(loaded, { projectedColumns: 6 })).rejects.toThrow(
    'projectedColumns must be a multiple of 4',
  );
  await expect(logitsEmbedder(loaded, { diskBytes: Number.NaN })).rejects.toThrow('diskBytes must be at least 0');
});

test('a custom model with a bias in its head keeps the distances of its mean logits, in hidden size + 1', async () => {
  const { llama } = models;
  const bias = tf.randomNormal<tf.Rank.R1>([llama.description.vocabularySize], 0, 0.2, 'float32', 4);
  const head = { weight: llama.head.weight, bias };
  const forward = (ids: tf.Tensor2D, mask: tf.Tensor2D) =>
    tf.tidy(() => {
      const { logits, hiddenStates } = llama.forward(ids, mask);
      return { logits: tf.add<tf.Tensor3D>(logits, bias), hiddenStates };
    });
  const custom = fromForwardModel({ forward }, { head, maxPositions: 64, name: 'biased' });
  const lying = fromForwardModel(llama, { head, maxPositions: 64, name: 'lying' });
  await expect(logitsEmbedder({ model: lying, tokenizer })).rejects.toThrow('are not those of the head');
  const embedder = await logitsEmbedder({ model: custom, tokenizer });
  expect(embedder.capabilities.dimensions).toBe(25);
  const { data } = await embed(embedder, items);
  // A cap that has no effect selects the path through the logits themselves.
  const loose = fromForwardModel(custom, { head: { ...head, softCap: 1e4 }, maxPositions: 64, name: 'biased' });
  const wide = await embed(await logitsEmbedder({ model: loose, tokenizer }), items);
  for (let a = 0; a < items.length; a++) {
    for (let b = 0; b < a; b++) expect(distance(data, 25, a, b)).toBeCloseTo(distance(wide.data, wide.cols, a, b), 5);
  }
  const short = { weight: head.weight, bias: tf.zeros<tf.Rank.R1>([3]) };
  expect(() => fromForwardModel(custom, { head: short, maxPositions: 64 })).toThrow('the head has 3 biases');
  tf.dispose([bias, short.bias]);
});

test('a model without its tokenizer, a promise and a plain model are refused in words', async () => {
  const { llama } = models;
  const wrong: [loaded: unknown, message: string][] = [
    [llama, 'needs { model, tokenizer }, got a model'],
    [{ model: llama }, 'needs a tokenizer, got undefined'],
    [{ tokenizer }, 'and its model is undefined'],
    [Promise.resolve({ model: llama, tokenizer }), 'got a promise; did you forget await?'],
    [undefined, 'got undefined'],
  ];
  for (const [loaded, message] of wrong) {
    for (const create of [hiddenStateEmbedder, logitsEmbedder]) {
      await expect(create(loaded as never), message).rejects.toThrow(`${create.name} needs`);
      await expect(create(loaded as never), message).rejects.toThrow(message);
      await expect(create(loaded as never), message).rejects.toThrow(InvalidArgumentError);
    }
  }
});

function distance(data: Float32Array, cols: number, a: number, b: number): number {
  let squares = 0;
  for (let i = 0; i < cols; i++) squares += (data[a * cols + i]! - data[b * cols + i]!) ** 2;
  return Math.sqrt(squares);
}
