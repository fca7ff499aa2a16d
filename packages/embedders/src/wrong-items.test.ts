import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Embedder, embed, InvalidArgumentError, type TokenCountingEmbedder } from '@rarefy/core';
import { activate, initialWeights, languageModel } from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEmbeddingServer } from '../../../tests/support/embedding-server.js';
import { openSmallModel } from '../../../tests/support/small-sentence-model.js';
import { cachedEmbedder } from './cached/cached-embedder.js';
import { hiddenStateEmbedder, logitsEmbedder } from './causal-lm/causal-lm.js';
import { hashEmbedder } from './hash.js';
import { type HttpEmbedderOptions, httpEmbedder } from './http/http-embedder.js';
import { universalSentenceEncoder } from './use/universal-sentence-encoder.js';

const folder = mkdtempSync(join(tmpdir(), 'rarefy-items-'));
const server = await startEmbeddingServer();
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});
beforeAll(() => activate('cpu'));

const tokenizer = trainBytePairTokenizer(['how do I bake bread'], { vocabularySize: 280 });
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 32,
  tie_word_embeddings: true,
};
const loaded = (change: object = {}) => {
  const settings = { ...config, ...change };
  return { model: languageModel(settings, initialWeights(settings, 1)), tokenizer };
};
const softCapped = { model_type: 'nanochat', final_logit_softcapping: 15 };

type AnyEmbedder = Embedder<string> & Partial<TokenCountingEmbedder<string>>;
const ofTexts: Record<string, () => AnyEmbedder | Promise<AnyEmbedder>> = {
  hashEmbedder: () => hashEmbedder(),
  httpEmbedder: () => httpEmbedder({ url: server.url, model: 'words' }),
  onnxEmbedder: async () => (await openSmallModel()).embedder,
  universalSentenceEncoder: () => universalSentenceEncoder(),
  cachedEmbedder: () => cachedEmbedder(hashEmbedder(), { folder }),
};
const ofChats: typeof ofTexts = {
  hiddenStateEmbedder: () => hiddenStateEmbedder(loaded()),
  logitsEmbedder: () => logitsEmbedder(loaded()),
  'logitsEmbedder of a soft-capped head': () => logitsEmbedder(loaded(softCapped)),
};

/** Expects the embedder to refuse the item wherever it stands. */
async function expectRefused(embedder: AnyEmbedder, item: unknown, problem: string) {
  const items = ['a', 'b', item] as string[];
  const error = (position: number) => new InvalidArgumentError(`item ${position} ${problem}`);
  await expect(embedder.embedBatch(items)).rejects.toThrow(error(2));
  await expect(embed(embedder, ['a', ...items], { batchSize: 3 })).rejects.toThrow(error(3));
  if (embedder.countTokens) expect(() => embedder.countTokens!(items)).toThrow(error(2));
  if (embedder.embedRows) await expect(embedder.embedRows(items, { batchSize: 1 })).rejects.toThrow(error(2));
}

test.each(Object.entries(ofTexts))('%s refuses items that are not texts', async (_, create) => {
  await using embedder = await create();
  for (const [item, what] of [
    [{ text: 'a' }, 'an object'],
    [{ prompt: 'a' }, 'an object'],
    [['a'], 'an array'],
    [7, 'a number'],
    [null, 'null'],
  ] as const) {
    await expectRefused(embedder, item, `is ${what}; expected a text`);
  }
  await embedder.embedBatch(['a', '']);
});

test.each(Object.entries(ofTexts))('%s refuses an item that is undefined', async (name, create) => {
  await using embedder = await create();
  const expected = name === 'cachedEmbedder' ? 'a text or another item with a JSON form' : 'a text';
  await expectRefused(embedder, undefined, `is undefined; expected ${expected}`);
});

test.each(Object.entries(ofChats))('%s refuses items that are not chat texts', async (_, create) => {
  await using embedder = await create();
  for (const [item, problem] of [
    [{ text: 'a' }, 'has the field "text"'],
    [{ prompt: 'a', answer: 'b' }, 'has the field "answer"'],
    [{ assistant: 'b' }, 'has no prompt'],
    [{ prompt: 7 }, 'has a number as prompt'],
    [{ prompt: 'a', assistant: null }, 'has null as assistant'],
    [['a'], 'is an array'],
    [7, 'is a number'],
    [null, 'is null'],
    [undefined, 'is undefined'],
  ] as const) {
    await expectRefused(embedder, item, `${problem}; expected a text or { prompt, assistant? } of texts`);
  }
  const right = [
    'a',
    { prompt: 'a' },
    { prompt: 'a', assistant: undefined, id: undefined },
    { prompt: '', assistant: 'b' },
  ];
  await embedder.embedBatch(right as string[]);
});

test('a cache names the position among all items, and refuses what has no JSON form', async () => {
  await using embedder = (await cachedEmbedder(hashEmbedder({ seed: 9 }), { folder })) as Embedder<unknown>;
  await embedder.embedBatch(['a', 'b']);
  await expect(embedder.embedBatch(['a', 'c', 'c', 'b', 7])).rejects.toThrow('item 4 is a number; expected a text');
  const circle: { self?: object } = {};
  circle.self = circle;
  for (const [item, what] of [
    [1n, 'a bigint'],
    [() => {}, 'a function'],
    [circle, 'an object'],
  ] as const) {
    await expect(embedder.embedBatch(['a', item])).rejects.toThrow(
      new InvalidArgumentError(`item 1 is ${what}; expected a text or another item with a JSON form`),
    );
  }
});

test('cachedEmbedder refuses an embedder that is none', async () => {
  for (const [given, message] of [
    [undefined, 'got undefined'],
    [Promise.resolve(hashEmbedder()), 'got a promise; did you forget await?'],
    [hashEmbedder, 'got a function; call the function that makes one, such as hashEmbedder()'],
  ] as const) {
    await expect(cachedEmbedder(given as unknown as Embedder, { folder })).rejects.toThrow(
      new InvalidArgumentError(`cachedEmbedder needs an embedder, ${message}`),
    );
  }
});

test('httpEmbedder needs a model, and sends nothing without one', async () => {
  const before = server.requests.length;
  for (const options of [
    { url: server.url },
    { url: server.url, model: '' },
    { url: server.url, model: 3 },
    undefined,
  ]) {
    await expect(httpEmbedder(options as unknown as HttpEmbedderOptions)).rejects.toThrow(
      new InvalidArgumentError('httpEmbedder needs `model`, the name of the model at the service'),
    );
  }
  expect(server.requests.length).toBe(before);
});
