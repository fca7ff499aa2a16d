import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, StateMismatchError } from '@rarefy/core';
import '@tensorflow/tfjs';
import { activate, initialWeights, languageModel } from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { shuffled, type TrainingExample } from '../language-model/examples.js';
import { trainLanguageModel } from '../language-model/train-language-model.js';
import { learningRateSchedule } from '../optimizer/schedule.js';
import { changedSettings, scheduleSetting } from './run-settings.js';

const tokenizer = trainBytePairTokenizer(['one two three'], { vocabularySize: 280 });
const config = {
  model_type: 'gpt2',
  vocab_size: tokenizer.vocabularySize,
  n_embd: 8,
  n_head: 2,
  n_layer: 1,
  n_positions: 16,
};
const rows = (last: number): TrainingExample[] =>
  [
    [1, 2, 3],
    [4, 5, last],
  ].map((ids) => ({ ids: Int32Array.from(ids), firstTrained: 1 }));
const linear = learningRateSchedule('linear');
const base = {
  kind: 'sft' as const,
  examples: shuffled(rows(6), { batchSize: 2, seed: 1 }),
  data: 'rows',
  steps: 4,
  learningRate: 0.01,
  schedule: linear,
};

let folder: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-settings-'))));
afterEach(() => rm(folder, { recursive: true }));

const train = (options: object = {}) =>
  trainLanguageModel(
    { model: languageModel(config, initialWeights(config, 1)), tokenizer, config },
    { ...base, ...options },
  );

test('settings are compared by name, with lists as one value, and a missing one is none', () => {
  const before = { seed: 1, loss: { name: 'dapo', beta: 0.1 }, betas: [0.9, 0.99] };
  expect(changedSettings(JSON.parse(JSON.stringify(before)), { ...before, maxGradNorm: undefined })).toEqual([]);
  expect(changedSettings(before, { seed: 2, loss: { name: 'dapo' }, betas: [0.9, 0.9], topK: 0 })).toEqual([
    'seed was 1 and is now 2',
    'loss.beta was 0.1 and is now none',
    'betas was [0.9,0.99] and is now [0.9,0.9]',
    'topK was none and is now 0',
  ]);
  expect(scheduleSetting(linear, 5)).toMatch(/^rates 1, 0.8, 0.6, 0.4, 0.2 \(digest [0-9a-f]{16}\)$/);
});

test('a resume with any other setting or other data is refused, naming the option and both values', async () => {
  const controller = new AbortController();
  const onStep = (step: number) => step === 2 && controller.abort(new Error('stop'));
  await expect(train({ checkpoint: { folder }, signal: controller.signal, onStep })).rejects.toThrow('stop');
  const checkpoint = { folder, resume: true };
  const changes: [options: object, message: string][] = [
    [{ learningRate: 0.02 }, 'learningRate was 0.01 and is now 0.02'],
    [{ weightDecay: 0.1 }, 'weightDecay was 0 and is now 0.1'],
    [{ betas: [0.9, 0.95] }, 'betas was [0.9,0.999] and is now [0.9,0.95]'],
    [{ epsilon: 1e-6 }, 'epsilon was 1e-8 and is now 0.000001'],
    [{ maxGradNorm: 1 }, 'maxGradNorm was none and is now 1'],
    [{ schedule: undefined }, 'schedule was "rates 1, 0.75, 0.5'],
    [{ steps: 8 }, 'steps was 4 and is now 8, and the schedule depends on it'],
    [{ data: 'others' }, 'data was "rows" and is now "others"'],
    [{ kind: 'base' }, 'task was "sft" and is now "base"'],
    [{ examples: shuffled(rows(7), { batchSize: 2, seed: 1 }) }, 'firstExamples was'],
  ];
  for (const [options, message] of changes) {
    await expect(train({ checkpoint, ...options }), message).rejects.toThrow(StateMismatchError);
    await expect(train({ checkpoint, ...options }), message).rejects.toThrow(message);
  }
  await train({ checkpoint, betas: [0.9, 0.999], maxGradNorm: Number.POSITIVE_INFINITY });
});

test('options of another kind are refused in words', async () => {
  const wrong: [options: object, message: string][] = [
    [{ steps: '3' }, 'steps must be an integer ≥ 0, got "3"'],
    [{ learningRate: '0.1' }, 'learningRate must be finite and ≥ 0, got "0.1"'],
    [{ learningRate: undefined }, 'learningRate must be finite and ≥ 0, got undefined'],
    [{ betas: { beta1: 0.9 } }, 'betas must be two numbers in [0, 1), got an object'],
    [{ betas: [0.9] }, 'betas must be two numbers in [0, 1), got [0.9]'],
    [{ maxGradNorm: '1' }, 'maxGradNorm must be a number > 0, got "1"'],
    [{ schedule: 'cosine' }, `schedule must be a function, such as learningRateSchedule('cosine'), got "cosine"`],
    [{ optimizer: { lr: 1 } }, 'trainLanguageModel has no option "optimizer"'],
    [{ onStep: 3 }, 'onStep must be a function, got 3'],
    [{ loggers: [console] }, 'loggers[0] must be a logger with the functions log and close'],
    [{ loggers: () => [undefined] }, 'loggers[0] must be a logger'],
    [{ checkpoint: { foldr: 'x' } }, 'checkpoint has no option "foldr"; did you mean "folder"?'],
    [{ checkpoint: 'run' }, 'the options of checkpoint must be an object, got "run"'],
    [{ examples: rows(6) }, 'examples must be a function of the step'],
    [{ data: undefined }, 'data must be a text'],
  ];
  for (const [options, message] of wrong) {
    await expect(train(options), message).rejects.toThrow(InvalidArgumentError);
    await expect(train(options), message).rejects.toThrow(message);
  }
});
