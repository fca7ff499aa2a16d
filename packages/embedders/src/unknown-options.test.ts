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
  'httpEmbedder, second argument,': [() => httpEmbedder(service, wrong({ onEvents: () => {} })), 'onEvents', 'onEvent'],
  onnxEmbedder: [() => onnxEmbedder('.', wrong({ dType: 'q8' })), 'dType', 'dtype'],
  universalSentenceEncoder: [() => universalSentenceEncoder(wrong({ batchsize: 8 })), 'batchsize', 'batchSize'],
  hiddenStateEmbedder: [() => hiddenStateEmbedder(loaded, wrong({ maxToken: 8 })), 'maxToken', 'maxTokens'],
  logitsEmbedder: [() => logitsEmbedder(loaded, wrong({ diskByte: 8 })), 'diskByte', 'diskBytes'],
  cachedEmbedder: [() => cachedEmbedder(hashEmbedder(), wrong({ folders: '.' })), 'folders', 'folder'],
  'cachedEmbedder, third argument,': [
    () => cachedEmbedder(hashEmbedder(), { folder: '.' }, wrong({ signals: 1 })),
    'signals',
    'signal',
  ],
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
    await expect(failed).rejects.toThrow('cachedEmbedder needs `folder`');
  }
});
