import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateMismatchError } from '@rarefy/core';
import { activate, initialWeights, languageModel, loadLanguageModel, rewardModel } from '@rarefy/lm';
import { uniformSampler } from '@rarefy/samplers';
import { type ChatFormat, type ChatPrompt, chatFormat, trainBytePairTokenizer } from '@rarefy/tokenizers';
import { answerExamples, latestCheckpoint, trainRewardModel } from '@rarefy/training';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluatePolicy } from './evaluation/evaluate-policy.js';
import { grpoLoader } from './loader/grpo-loader.js';
import { rewardModelReward } from './rewards/built-in-rewards.js';
import { type Completion, rollout } from './rollout/rollout.js';
import { trainGrpo } from './trainer.js';

const trained = trainBytePairTokenizer(['one two three user assistant'], {
  vocabularySize: 300,
  specialTokens: ['<|im_start|>', '<|im_end|>', '<|endoftext|>'],
});
const template =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const tokenizer = { ...trained, chat: { template, stopIds: [20, 21] } };
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 96,
  tie_word_embeddings: true,
};
const turns = [
  { role: 'user', content: 'one' },
  { role: 'assistant', content: 'two' },
  { role: 'user', content: 'three' },
];
const prompts: { prompt: ChatPrompt }[] = [{ prompt: 'one two' }, { prompt: turns }];
const newPolicy = () => ({ model: languageModel(config, initialWeights(config, 1)), tokenizer, config });
const newLoader = () =>
  grpoLoader(prompts, { sampler: uniformSampler(prompts.length, { seed: 1 }), batchSize: 2, groupSize: 2 });

/** A format of one's own: the text between two bytes. */
const own: ChatFormat = {
  name: 'own',
  stopId: 7,
  prompt(prompt) {
    const text = typeof prompt === 'string' ? prompt : prompt.map(({ content }) => content).join('|');
    return { ids: Int32Array.from([1, ...trained.encode(text), 2]), truncated: false };
  },
  conversation(prompt, answer) {
    const { ids } = own.prompt(prompt);
    return { ids: Int32Array.from([...ids, ...trained.encode(answer), 7]), answerStart: ids.length, truncated: false };
  },
};

let folder: string;
beforeAll(async () => {
  await activate('cpu');
  folder = await mkdtemp(join(tmpdir(), 'rarefy-chat-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a rollout writes turns in the format of the model, and any stop token ends a completion', async () => {
  const options = { groupSize: 40, maxPromptLength: 60, maxCompletionLength: 30, seed: 1, first: 0 };
  const rows = prompts.map(({ prompt }, position) => ({ prompt, position }));
  const { completions, promptIds } = await rollout(newPolicy(), rows, options);
  const format = chatFormat(tokenizer);
  expect(promptIds).toEqual([format.prompt('one two').ids, format.prompt(turns).ids]);
  expect(completions[0]).toMatchObject({ prompt: 'one two' });
  expect(completions[0]).not.toHaveProperty('messages');
  expect(completions[40]).toMatchObject({ prompt: 'user: one\n\nassistant: two\n\nuser: three', messages: turns });
  const stops = new Set(format.stopIds);
  expect(stops).toEqual(new Set([format.stopId, 20, 21]));
  const ends = new Set(completions.filter(({ terminated }) => terminated).map(({ ids }) => ids.at(-1)!));
  expect(ends.size).toBeGreaterThan(1);
  for (const { ids, terminated, text } of completions) {
    expect([...ids.subarray(0, -1)].some((id) => stops.has(id))).toBe(false);
    expect(terminated).toBe(stops.has(ids.at(-1)!));
    expect(text).toBe(tokenizer.decode(terminated ? ids.subarray(0, -1) : ids));
  }
});

test('a format of one’s own reaches rollouts, the evaluation, the reward model and its reward', async () => {
  const policy = newPolicy();
  const rows = prompts.map(({ prompt }, position) => ({ prompt, position }));
  const options = { groupSize: 1, maxPromptLength: 40, maxCompletionLength: 4, seed: 1, format: own };
  const { promptIds } = await rollout(policy, rows, { ...options, first: 0 });
  expect(promptIds).toEqual(rows.map(({ prompt }) => own.prompt(prompt).ids));

  const reward = rewardModel(policy.model);
  const pairs = prompts.map(({ prompt }) => ({ prompt, chosen: 'two', rejected: 'three three' }));
  const training = { steps: 1, batchSize: 2, learningRate: 0.01, seed: 1 };
  const tokens: number[] = [];
  for (const format of [own, undefined]) {
    await trainRewardModel(policy, reward, pairs, {
      ...training,
      ...(format && { format }),
      onStep: (_, metrics) => void tokens.push(metrics.num_tokens!),
    });
  }
  const lengthOf = (format: ChatFormat) =>
    pairs.reduce(
      (sum, { prompt, chosen, rejected }) =>
        sum + format.conversation(prompt, chosen).ids.length + format.conversation(prompt, rejected).ids.length,
      0,
    );
  expect(tokens).toEqual([lengthOf(own), lengthOf(chatFormat(tokenizer))]);

  const score = { name: 'rm', reward: rewardModelReward({ reward, tokenizer }, { format: own }) };
  const { completions, rewardMean } = await evaluatePolicy(
    policy,
    prompts.map(({ prompt }) => prompt),
    { ...options, rewards: [score] },
  );
  const scored = await rewardModelReward({ reward, tokenizer }, { format: own })(completions);
  expect(rewardMean).toBeCloseTo((scored[0]! + scored[1]!) / 2, 6);
  const byTemplate = await rewardModelReward({ reward, tokenizer })(completions);
  const asText = await rewardModelReward({ reward, tokenizer })(completions.map(({ messages: _, ...rest }) => rest));
  expect(byTemplate[0]).not.toBeCloseTo(scored[0]!, 6);
  expect(byTemplate[0]).toBe(asText[0]);
  expect(byTemplate[1]).not.toBeCloseTo(asText[1]!, 6);
});

test.each([['chatml'], [{ ...own, stopId: undefined }], [null]])('the format %j is refused', async (format) => {
  const policy = newPolicy();
  const reward = rewardModel(policy.model);
  const wrong = { format: format as never };
  const common = { maxPromptLength: 9, maxCompletionLength: 4, seed: 1 };
  const message = 'needs `format` to be a chat format';
  await expect(rollout(policy, [], { ...common, ...wrong, groupSize: 1, first: 0 })).rejects.toThrow(message);
  await expect(trainRewardModel(policy, reward, [], { steps: 1, learningRate: 1, seed: 1, ...wrong })).rejects.toThrow(
    message,
  );
  expect(() => rewardModelReward({ reward, tokenizer }, wrong)).toThrow(message);
  expect(() => answerExamples([], wrong)).toThrow(message);
  const rewards = [{ name: 'none', reward: () => new Float64Array(4) }];
  await expect(
    trainGrpo(policy, newLoader(), { rewards, steps: 1, learningRate: 1, seed: 1, ...wrong }),
  ).rejects.toThrow(message);
});

test('a loader resumes only with the same messages', () => {
  const sampler = () => uniformSampler(prompts.length, { seed: 1 });
  const state = newLoader().state();
  grpoLoader(structuredClone(prompts), { sampler: sampler(), batchSize: 2, groupSize: 2 }).restore(state);
  const changed = [prompts[0]!, { prompt: [...turns.slice(0, 2), { role: 'user', content: 'four' }] }];
  const loader = grpoLoader(changed, { sampler: sampler(), batchSize: 2, groupSize: 2 });
  expect(() => loader.restore(state)).toThrow(StateMismatchError);
});

test('examples of answers train the answer and its stop token', () => {
  const conversations = prompts.map(({ prompt }) => ({ prompt, answer: 'three' }));
  const format = chatFormat(tokenizer);
  expect(answerExamples(conversations, { format })).toEqual(
    prompts.map(({ prompt }) => {
      const { ids, answerStart } = format.conversation(prompt, 'three');
      return { ids, firstTrained: answerStart };
    }),
  );
  expect(answerExamples(conversations, { format, maxTokens: 20 })[1]!.ids.length).toBeLessThanOrEqual(20);
});

test('a run resumes only in the format that it began with, and its checkpoints keep the template', async () => {
  const train = (options: { format?: ChatFormat; steps: number; resume?: boolean }) =>
    trainGrpo(newPolicy(), newLoader(), {
      rewards: [
        { name: 'length', reward: (rows: readonly Completion[]) => Float64Array.from(rows, ({ ids }) => ids.length) },
      ],
      steps: options.steps,
      ...(options.format && { format: options.format }),
      ...{ learningRate: 1e-3, seed: 1, maxCompletionLength: 4 },
      checkpoint: { folder, saveSteps: 1, resume: options.resume ?? false },
    });
  await train({ steps: 1 });
  await expect(train({ steps: 2, resume: true, format: own })).rejects.toThrow(StateMismatchError);
  await train({ steps: 2, resume: true, format: chatFormat(tokenizer) });
  const saved = await loadLanguageModel((await latestCheckpoint(join(folder, 'checkpoints')))!);
  expect(saved.tokenizer.chat?.template).toBe(template);
  const before = chatFormat({ ...tokenizer, chat: { template } });
  expect(chatFormat(saved.tokenizer).prompt(turns)).toEqual(before.prompt(turns));
});
