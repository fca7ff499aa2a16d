import { InvalidArgumentError } from '@rarefy/core';
import type { LoadedModel } from '@rarefy/lm';
import { expect, test } from 'vitest';
import { cachedEmbedder } from './cached/cached-embedder.js';
import { hiddenStateEmbedder, logitsEmbedder } from './causal-lm/causal-lm.js';
import { hashEmbedder } from './hash.js';
import { httpEmbedder } from './http/http-embedder.js';
import { onnxEmbedder } from './onnx/onnx-embedder.js';
import { universalSentenceEncoder } from './use/universal-sentence-encoder.js';

/** Every factory with an option that it does not have, as JavaScript can pass it, and the name that the message suggests. */
const wrong = <Value>(options: unknown) => options as Value;
const loaded = {} as LoadedModel; // options are checked first
const service = { url: 'http://localhost:1', model: 'm' };
const calls: Record<string, [create: () => unknown, unknown: string, suggested: string]> = {
  hashEmbedder: [() => hashEmbedder(wrong({ dimension: 8 })), 'dimension', 'dimensions'],
  httpEmbedder: [() => httpEmbedder(wrong({ ...service, apikey: 'x' })), 'apikey', 'apiKey'],
  onnxEmbedder: [() => onnxEmbedder('.', wrong({ dType: 'q8' })), 'dType', 'dtype'],
  universalSentenceEncoder: [() => universalSentenceEncoder(wrong({ batchsize: 8 })), 'batchsize', 'batchSize'],
  hiddenStateEmbedder: [() => hiddenStateEmbedder(loaded, wrong({ maxToken: 8 })), 'maxToken', 'maxTokens'],
  logitsEmbedder: [() => logitsEmbedder(loaded, wrong({ diskByte: 8 })), 'diskByte', 'diskBytes'],
  cachedEmbedder: [() => cachedEmbedder(hashEmbedder(), wrong({ folders: '.' })), 'folders', 'folder'],
};

test.each(Object.entries(calls))('%s refuses an option that it does not have', async (where, [create, name, near]) => {
  const failed = Promise.resolve().then(create);
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow(`${where} has no option "${name}"; did you mean "${near}"?`);
});

test('cachedEmbedder needs a folder', async () => {
  for (const options of [undefined, {}]) {
    const failed = cachedEmbedder(hashEmbedder(), wrong(options));
    await expect(failed).rejects.toThrow(InvalidArgumentError);
    await expect(failed).rejects.toThrow('cachedEmbedder needs `folder`, the folder of the cache, got undefined');
  }
});

/** Options of the wrong type, and what the message says. Nothing is read, loaded or sent before. */
test.each<[create: (options: never) => unknown, options: object, message: string]>([
  [hashEmbedder, { dimensions: '8' }, 'dimensions must be an integer ≥ 1, got "8"'],
  [hashEmbedder, { seed: '8' }, 'seed must be a safe integer, got "8"'],
  [
    (o) => httpEmbedder(wrong({ ...service, ...wrong<object>(o) })),
    { maxBatch: '8' },
    'maxBatch must be an integer ≥ 1, got "8"',
  ],
  [
    (o) => httpEmbedder(wrong({ ...service, ...wrong<object>(o) })),
    { deadlineMs: '8' },
    'deadlineMs must be in (0, 2^31) ms, got "8"',
  ],
  [
    (o) => httpEmbedder(wrong({ ...service, ...wrong<object>(o) })),
    { normalize: 'no' },
    'normalize must be true or false, got "no"',
  ],
  [(o) => httpEmbedder(wrong({ ...service, ...wrong<object>(o) })), { apiKey: null }, 'apiKey must be a text'],
  [
    (o) => onnxEmbedder('.', o),
    { dtype: 'half' },
    'dtype must be one of fp32, fp16, int8, uint8, q8, q4, q4f16, bnb4, got "half"',
  ],
  [(o) => onnxEmbedder('.', o), { batchTokens: '8' }, 'batchTokens must be an integer ≥ 1, got "8"'],
  [universalSentenceEncoder, { batchSize: '8' }, 'batchSize must be an integer ≥ 1, got "8"'],
  [universalSentenceEncoder, { folder: 8 }, 'folder must be the path of a folder, got 8'],
  [
    universalSentenceEncoder,
    { converter: {} },
    'the module given for @tensorflow/tfjs-converter is an object without loadGraphModel',
  ],
  [
    (o) => cachedEmbedder(hashEmbedder(), o),
    { folder: 8 },
    'cachedEmbedder needs `folder`, the folder of the cache, got 8',
  ],
])('%o refuses %j', async (create, options, message) => {
  const failed = Promise.resolve().then(() => create(options as never));
  await expect(failed).rejects.toThrow(InvalidArgumentError);
  await expect(failed).rejects.toThrow(message);
});
