import { InvalidArgumentError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { chooseBackend } from './backend/choose-backend.js';
import { loadLanguageModel, loadWeights, saveLanguageModel } from './checkpoint/model-folder.js';
import { fromForwardModel } from './families/from-forward-model.js';
import { fromLayersModel } from './families/from-layers-model.js';
import { generate } from './generate/generate.js';

test('options that nobody knows are refused, with the nearest known one', async () => {
  const head = { weight: tf.zeros<tf.Rank.R2>([4, 2]) };
  const wrong: Record<string, [call: (options: never) => unknown, options: object]> = {
    'chooseBackend has no option "backends"; did you mean "backend"?': [chooseBackend, { backends: 'cpu' }],
    'generate has no option "maxTokens"': [(o) => generate({} as never, [], o), { maxTokens: 3 }],
    'fromForwardModel has no option "parameter"; did you mean "parameters"?': [
      (o) => fromForwardModel({} as never, o),
      { head, maxPositions: 3, parameter: {} },
    ],
    'the head of fromForwardModel has no option "softcap"; did you mean "softCap"?': [
      (o) => fromForwardModel({ forward: () => ({}) as never }, o),
      { head: { ...head, softcap: 3 }, maxPositions: 3 },
    ],
  };
  for (const [message, [call, options]] of Object.entries(wrong)) {
    const attempt = async () => call(options as never);
    await expect(attempt(), message).rejects.toThrow(message);
    await expect(attempt(), message).rejects.toThrow(InvalidArgumentError);
  }
});

test('a promise, a loaded model or a text in the place of another argument is named', async () => {
  const weight = tf.variable(tf.zeros<tf.Rank.R2>([4, 2]));
  const forward = () => ({}) as never;
  const model = fromForwardModel({ forward }, { head: { weight }, maxPositions: 8, parameters: { weight } });
  const promise = Promise.resolve({});
  const options = { maxNewTokens: 1, stopId: 0, seed: 1 };
  const wrong: Record<string, () => unknown> = {
    'fromLayersModel needs a tf.layers model, got undefined': () => fromLayersModel(undefined as never),
    'fromLayersModel needs a tf.layers model, got a promise; did you forget await?': () =>
      fromLayersModel(promise as never),
    'loadLanguageModel needs the path of a folder, got undefined': () => loadLanguageModel(undefined as never),
    'saveLanguageModel needs the path of a folder, got an object': () =>
      saveLanguageModel({ model } as never, 'folder' as never),
    'saveLanguageModel needs { model, tokenizer }, got a promise; did you forget await?': () =>
      saveLanguageModel('folder', promise as never),
    'loadWeights needs a language model, got a string': () => loadWeights('folder' as never, model as never),
    'prompt 0 must be an Int32Array of token ids, got a string; give tokenizer.encode(text)': () =>
      generate(model, ['Hello'] as never, options),
    'generate needs a list of items, got a string; give an array, such as [text]': () =>
      generate(model, 'Hello' as never, options),
    'token 1 of prompt 0 is 4, and the ids of the model are 0 to 3; use the tokenizer of the model': () =>
      generate(model, [Int32Array.of(3, 4)], options),
    'token 0 of prompt 1 is -1, and the ids of the model are 0 to 3; use the tokenizer of the model': () =>
      generate(model, [Int32Array.of(0), Int32Array.of(-1)], options),
  };
  for (const [message, call] of Object.entries(wrong)) {
    await expect((async () => call())(), message).rejects.toThrow(new InvalidArgumentError(message));
  }
});
