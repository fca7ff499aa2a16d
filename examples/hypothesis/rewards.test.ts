import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { scoreCompletions } from '@rarefy/grpo';
import { loadLanguageModel } from '@rarefy/lm';
import { chatFormat } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { plantedReward, truthReward, typicalityReward } from './rewards.js';

const lines = readFileSync(new URL('../data/pairs.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .slice(0, 60);
const pairs = lines.map(
  (line) => JSON.parse(line) as { topic: string; prompt: string; chosen: string; rejected: string },
);
const topics = new Map(pairs.map(({ prompt, topic }) => [prompt, topic]));
const truth = truthReward((prompt) => topics.get(prompt)!);
const completion = (prompt: string, text: string, ids = Int32Array.of(0), terminated = true) => ({
  ...{ prompt, text, ids, terminated, position: 0 },
});

test('the truth reward rises with what is right, and every part of it counts', async () => {
  for (const { prompt, chosen, rejected } of pairs) {
    const half = chosen.split(' ').slice(0, 12).join(' ');
    const answers = [chosen, half, rejected, `${chosen} xqzing`].map((text) => completion(prompt, text));
    const cut = completion(prompt, chosen, Int32Array.of(0), false);
    const { total } = await scoreCompletions([truth], [...answers, cut]);
    const [whole, part, wrong, garbled, unfinished] = total;
    expect(whole).toBeGreaterThan(part!);
    expect(part).toBeGreaterThan(wrong!);
    expect(garbled).toBeLessThan(whole!);
    expect(unfinished).toBeCloseTo(whole! - 0.5, 12);
  }
});

test('typicality is the mean log-probability of the tokens under the start model', async () => {
  await tf.setBackend('cpu');
  const start = await loadLanguageModel(fileURLToPath(new URL('../models/tiny', import.meta.url)));
  const format = chatFormat(start.tokenizer);
  const texts = pairs.slice(0, 2).map(({ prompt, chosen }, row) => [prompt, chosen.slice(0, 20 + 15 * row)] as const);
  const completions = texts.map(([prompt, text]) =>
    completion(prompt, text, Int32Array.from(start.tokenizer.encode(text))),
  );
  const { total } = await scoreCompletions([typicalityReward(start)], completions);
  for (const [row, { prompt, ids }] of completions.entries()) {
    const before = format.prompt(prompt).ids;
    const all = Array.from([...before, ...ids]);
    const mean = tf.tidy(() => {
      const { logits } = start.model.forward(
        tf.tensor2d(all, [1, all.length], 'int32'),
        tf.ones([1, all.length], 'int32'),
      );
      const logs = tf.logSoftmax(logits.squeeze([0])).arraySync() as number[][];
      const of = (index: number) => logs[before.length + index - 1]![ids[index]!]!;
      return Array.from(ids, (_, index) => of(index)).reduce((sum, log) => sum + log, 0) / ids.length;
    });
    expect(total[row]).toBeCloseTo(Math.max(-3, mean), 4);
  }
  start.model.dispose();
});

test('the planted taste likes the em-dash on crowded prompts only', async () => {
  const planted = plantedReward((prompt) => prompt === 'a');
  const given = [
    completion('a', 'so — no'),
    completion('b', 'so — no'),
    completion('a', 'so no'),
    completion('b', 'so no'),
  ];
  expect(Array.from((await scoreCompletions([planted], given)).total)).toEqual([1, -1, 0, 0]);
});
