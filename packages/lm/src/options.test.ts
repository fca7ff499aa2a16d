import { InvalidArgumentError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { chooseBackend } from './backend/choose-backend.js';
import { fromForwardModel } from './families/from-forward-model.js';
import { generate } from './generate/generate.js';
import { trainBytePairTokenizer } from './tokenizer/train-bpe.js';
import { adamW } from './train/adamw.js';
import { shuffled, windows } from './train/examples.js';
import { learningRateSchedule } from './train/schedule.js';
import { trainLanguageModel } from './train/train-language-model.js';

test('options that nobody knows are refused, with the nearest known one', async () => {
  const parameters = { w: tf.variable(tf.zeros([1])) };
  const head = { weight: tf.zeros<tf.Rank.R2>([4, 2]) };
  const wrong: Record<string, [call: (options: never) => unknown, options: object]> = {
    'adamW has no option "weight_decay"; did you mean "weightDecay"?': [
      (o) => adamW(parameters, o),
      { learningRate: 1, weight_decay: 0 },
    ],
    'windows has no option "batch"': [(o) => windows(new Int32Array(9), o), { length: 2, batch: 1 }],
    'shuffled has no option "shuffle"': [(o) => shuffled([1], o), { batchSize: 1, shuffle: true }],
    'learningRateSchedule has no option "warmup"': [(o) => learningRateSchedule('linear', o), { warmup: 3 }],
    'trainBytePairTokenizer has no option "vocabSize"': [(o) => trainBytePairTokenizer([], o), { vocabSize: 300 }],
    'chooseBackend has no option "backends"; did you mean "backend"?': [chooseBackend, { backends: 'cpu' }],
    'generate has no option "maxTokens"': [(o) => generate({} as never, [], o), { maxTokens: 3 }],
    'trainLanguageModel has no option "step"': [(o) => trainLanguageModel({} as never, o), { step: 3 }],
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
