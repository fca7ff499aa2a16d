import { InputError, type WorkEvent } from '@rarefy/core';
import { activate, initialWeights, languageModel, rewardModel } from '@rarefy/lm';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Completion } from '../rollout/rollout.js';
import { type RewardModelRewardOptions, rewardModelReward } from './built-in-rewards.js';

const long = 'a very long answer '.repeat(20);
const tokenizer = trainBytePairTokenizer(['a short answer', long], { vocabularySize: 280 });
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 40,
};
const head = Float32Array.from({ length: 8 }, (_, index) => index - 3);
let reward: ReturnType<typeof rewardModel>;
beforeAll(async () => {
  await activate('wasm');
  const weights = initialWeights({ ...config, initializer_range: 0.3 }, 1);
  reward = rewardModel(languageModel(config, weights), new Map([['score.weight', { shape: [1, 8], data: head }]]));
});
afterAll(() => reward.dispose());

const completion = (text: string, prompt = 'now'): Completion => {
  return { prompt, text, position: 0, ids: new Int32Array(1), terminated: true };
};
const batch = [completion('yes'), completion(long), completion('no', long), completion(long)];

/** The rewards of a batch, with what they log. */
async function score(options: RewardModelRewardOptions, times = 1) {
  const events: WorkEvent[] = [];
  const metrics: Record<string, number> = {};
  const scored = rewardModelReward({ reward, tokenizer }, options);
  let values = await scored(batch, {
    onEvent: (event) => events.push(event),
    logMetric: (name, value) => void (metrics[name] = value),
  });
  for (let time = 1; time < times; time++) values = await scored(batch, { onEvent: (event) => events.push(event) });
  return { values: [...values], events, metrics };
}

test('completions that do not fit are counted, and the first ones are a warning', async () => {
  const { values, events, metrics } = await score({}, 3);
  expect(values.every(Number.isFinite)).toBe(true);
  expect(values[1]).toBe(values[3]);
  expect(metrics).toEqual({ cut_ratio: 0.5, cut_prompt_ratio: 0.75 });
  expect(events).toEqual([
    {
      ...{ type: 'work-warning', task: 'reward', code: 'answer-cut' },
      message:
        '2 of 4 completions do not fit in the 40 positions of the reward model and are scored without their end; the metric cut_ratio counts them',
    },
  ]);
});

test('they may get no reward, and the others are scored alike in any batch', async () => {
  const { values, metrics, events } = await score({ tooLong: 'null' });
  expect(metrics.cut_ratio).toBe(0.5);
  expect(events).toMatchObject([{ message: expect.stringContaining('and get no reward') }]);
  const cut = await score({});
  expect(values).toEqual([expect.closeTo(cut.values[0]!, 5), null, expect.closeTo(cut.values[2]!, 5), null]);
  const one = await score({ batchSize: 1, tooLong: 'null' });
  expect(one.values[0]).toBeCloseTo(values[0]!, 5);
  expect(one.values[1]).toBeNull();
});

test('they may be an error, and only fitting completions log 0', async () => {
  await expect(score({ tooLong: 'error' })).rejects.toThrow(InputError);
  await expect(score({ tooLong: 'error' })).rejects.toThrow('completion 1 does not fit in the 40 positions');
  const logMetric = vi.fn();
  await rewardModelReward({ reward, tokenizer }, { tooLong: 'error' })([batch[0]!], { logMetric });
  expect(logMetric.mock.calls).toEqual([
    ['cut_ratio', 0],
    ['cut_prompt_ratio', 0],
  ]);
  expect(() => rewardModelReward({ reward, tokenizer }, { tooLong: 'drop' as never })).toThrow(
    "tooLong must be 'cut', 'null' or 'error', got \"drop\"",
  );
});
