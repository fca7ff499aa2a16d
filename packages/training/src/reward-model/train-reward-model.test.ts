import { readFileSync } from 'node:fs';
import { activate, initialWeights, languageModel, padRight, rewardModel } from '@rarefy/lm';
import { chatFormat, trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import type { StepMetrics } from '../run/train-with-checkpoints.js';
import { preferenceLoss } from './preference-loss.js';
import { trainRewardModel } from './train-reward-model.js';

beforeAll(() => activate('wasm'));

test('the Bradley-Terry loss equals that of TRL', () => {
  const golden = JSON.parse(readFileSync(new URL('../../../../tests/golden/golden.json', import.meta.url), 'utf8'));
  const { chosen, rejected, loss } = golden.bradley_terry;
  const actual = preferenceLoss(tf.tensor1d(chosen), tf.tensor1d(rejected)).dataSync()[0]!;
  expect(Math.abs(actual - loss)).toBeLessThan(1e-6);
  const centered = preferenceLoss(tf.tensor1d([1, 2]), tf.tensor1d([0, 4]), {
    centerRewardsCoefficient: 0.01,
  }).dataSync()[0]!;
  expect(centered - preferenceLoss(tf.tensor1d([1, 2]), tf.tensor1d([0, 4])).dataSync()[0]!).toBeCloseTo(
    (0.01 * (1 + 36)) / 2,
    5,
  );
});

test('a reward model learns what chosen answers share, with a tied and an untied head, and leaks no tensor', async () => {
  const words = ['river', 'stone', 'apple', 'cloud', 'green', 'paper', 'light', 'seven'];
  const pairs = Array.from({ length: 48 }, (_, index) => {
    const [a, b] = [words[index % 8]!, words[(index * 3 + 1) % 8]!];
    return { id: `${index}`, src: 'test', prompt: `${a} ${b}`, chosen: `yes ${a}`, rejected: `no ${b}` };
  });
  const texts = pairs.flatMap(({ prompt, chosen, rejected }) => [prompt, chosen, rejected]);
  const tokenizer = trainBytePairTokenizer(texts, { vocabularySize: 320 });
  for (const tied of [true, false]) {
    const before = tf.memory().numTensors;
    const config = {
      model_type: 'llama',
      vocab_size: tokenizer.vocabularySize,
      hidden_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 24,
      max_position_embeddings: 40,
      tie_word_embeddings: tied,
    };
    const model = languageModel(config, initialWeights(config, 1));
    const reward = rewardModel(model);
    const metrics: StepMetrics[] = [];
    const result = await trainRewardModel(
      { model, tokenizer, config },
      reward,
      [...pairs, { ...pairs[0]!, chosen: 'yes '.repeat(40) }],
      {
        steps: 30,
        batchSize: 8,
        microBatchSize: 8,
        learningRate: 0.01,
        seed: 1,
        maxLength: 30,
        onStep: (_, values) => metrics.push(values),
      },
    );
    expect(result).toEqual({ pairs: 48, tooLong: 1, steps: 30, step: 30 });
    expect(metrics[0]!.loss).toBeCloseTo(Math.log(2), 5); // with a new head every reward is 0
    expect(metrics.at(-1)!.accuracy).toBe(1);
    const [yes, no] = tf.tidy(() => {
      const format = chatFormat(tokenizer);
      const rows = ['yes river', 'no stone'].map((answer) => format.conversation('river stone', answer, 40).ids);
      const { ids, mask } = padRight(rows);
      return reward.score(ids, mask).dataSync();
    });
    expect(yes! - no!).toBeGreaterThan(0);
    reward.dispose();
    expect(tf.memory().numTensors).toBe(before);
  }
});
