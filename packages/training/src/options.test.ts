import { InvalidArgumentError } from '@rarefy/core';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { shuffled, windows } from './language-model/examples.js';
import { trainLanguageModel } from './language-model/train-language-model.js';
import { adamW } from './optimizer/adamw.js';
import { learningRateSchedule } from './optimizer/schedule.js';

test('options that nobody knows are refused, with the nearest known one', async () => {
  const parameters = { w: tf.variable(tf.zeros([1])) };
  const wrong: Record<string, [call: (options: never) => unknown, options: object]> = {
    'adamW has no option "weight_decay"; did you mean "weightDecay"?': [
      (o) => adamW(parameters, o),
      { learningRate: 1, weight_decay: 0 },
    ],
    'windows has no option "batch"': [(o) => windows(new Int32Array(9), o), { length: 2, batch: 1 }],
    'shuffled has no option "shuffle"': [(o) => shuffled([1], o), { batchSize: 1, shuffle: true }],
    'learningRateSchedule has no option "warmup"': [(o) => learningRateSchedule('linear', o), { warmup: 3 }],
    'trainLanguageModel has no option "step"': [(o) => trainLanguageModel({} as never, o), { step: 3 }],
  };
  for (const [message, [call, options]] of Object.entries(wrong)) {
    const attempt = async () => call(options as never);
    await expect(attempt(), message).rejects.toThrow(message);
    await expect(attempt(), message).rejects.toThrow(InvalidArgumentError);
  }
});

test('adamW names a parameter that is not a variable', () => {
  expect(() => adamW({ model: {} } as never, { learningRate: 1 })).toThrow(
    "parameter 'model' must be a tf.Variable, got an object; give the parameters of the model, model.parameters",
  );
});
