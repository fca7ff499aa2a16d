import type { WorkEvent } from '@rarefy/core';
import { activate } from '@rarefy/lm';
import { uniformSampler } from '@rarefy/samplers';
import { chatFormat } from '@rarefy/tokenizers';
import type { StepMetrics } from '@rarefy/training';
import '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { config, newModel, tokenizer } from '../../../../tests/support/tiny-policy.js';
import { grpoLoader } from '../loader/grpo-loader.js';
import { lengthReward, recordedReward } from '../rewards/built-in-rewards.js';
import { type GrpoTrainingOptions, trainGrpo } from '../trainer.js';
import { type RecordedPrompt, recordedGroups, recordedPairs } from './recorded-groups.js';
import type { RolloutOptions } from './rollout.js';

const pairs = [
  { prompt: 'one', chosen: 'a', rejected: 'b' },
  { prompt: 'two', chosen: 'c', rejected: 'd' },
  { prompt: 'one', chosen: 'b', rejected: 'e' },
  { prompt: 'three', chosen: 'same', rejected: 'same' },
];
const scored: readonly RecordedPrompt[] = [
  { prompt: 'four', answers: ['a', 'b', 'c', 'd', 'e'].map((text, score) => ({ text, score })) },
  { prompt: 'one', answers: [{ text: 'only', score: 1 }] },
  { prompt: 'two', answers: ['yes', 'no', 'maybe'].map((text, score) => ({ text, score })) },
];
const limits = { groupSize: 3, maxPromptLength: 16, maxCompletionLength: 16, seed: 3, first: 0 };

beforeAll(() => activate('cpu'));

const policyOf = () => ({ model: newModel(), tokenizer, config });
const answered = (groups: ReturnType<typeof recordedGroups>, options: Partial<RolloutOptions> = {}, position = 0) =>
  groups.rollouts.rollout(policyOf(), [{ position, prompt: groups.prompts[position]!.prompt }], {
    ...limits,
    ...options,
  });

test('pairs become the answers of each prompt, with the share of comparisons that each has won', () => {
  const answers = (...entries: [text: string, score: number][]) => entries.map(([text, score]) => ({ text, score }));
  expect(recordedPairs(pairs)).toEqual([
    { prompt: 'one', answers: answers(['a', 1], ['b', 0.5], ['e', 0]) },
    { prompt: 'two', answers: answers(['c', 1], ['d', 0]) },
    { prompt: 'three', answers: answers(['same', 0.5]) },
  ]);
  const turns = [{ role: 'user', content: 'one' }];
  expect(recordedPairs([{ prompt: turns, chosen: 'a', rejected: 'b' }])[0]!.prompt).toEqual(turns);
});

test('prompts with too few answers are left out and counted', () => {
  const { prompts, leftOut, groupSize } = recordedGroups(recordedPairs(pairs));
  expect(prompts.map(({ prompt }) => prompt)).toEqual(['one', 'two']);
  expect([leftOut, groupSize]).toEqual([1, 2]);
  expect(recordedGroups(scored, { groupSize: 5 }).leftOut).toBe(2);
});

test('a group has the tokens of the chat format, the stop token included, and the recorded texts and scores', async () => {
  const groups = recordedGroups(scored, { groupSize: 3 });
  const { completions, promptIds, groupSize } = await answered(groups, {}, 1);
  const format = chatFormat(tokenizer);
  expect(groupSize).toBe(3);
  expect(promptIds).toEqual([format.prompt('two').ids]);
  expect(completions.map(({ text, score }) => [text, score])).toEqual([
    ['yes', 0],
    ['no', 1],
    ['maybe', 2],
  ]);
  for (const { text, ids, terminated } of completions) {
    const { ids: whole, answerStart } = format.conversation('two', text);
    expect([...ids]).toEqual([...whole.slice(answerStart)]);
    expect([ids.at(-1), terminated]).toEqual([format.stopId, true]);
  }
});

test('of more answers, each draw takes some without repeating one; they depend on seed and draw only', async () => {
  const groups = recordedGroups(scored, { groupSize: 2 });
  const textsOf = async (first: number, seed = 3) => {
    const { completions } = await answered(groups, { groupSize: 2, first, seed });
    return completions.map(({ text }) => text).join('');
  };
  const seen = new Map<string, number>();
  for (let draw = 0; draw < 400; draw++) {
    const texts = await textsOf(draw);
    expect(new Set(texts).size).toBe(2);
    seen.set(texts, (seen.get(texts) ?? 0) + 1);
  }
  expect(seen.size).toBe(10); // the subsets of 2 of 5, 40 times each on average
  for (const count of seen.values()) expect(Math.abs(count - 40)).toBeLessThan(5 * Math.sqrt(36));
  expect(await textsOf(7)).toBe(await textsOf(7));
  const both = { ...limits, groupSize: 2, first: 6 };
  const drawn = [0, 0].map((position) => ({ position, prompt: 'four' }));
  const { completions } = await groups.rollouts.rollout(policyOf(), drawn, both);
  expect(completions.slice(2).map(({ text }) => text)).toEqual((await textsOf(7)).split(''));
  const others = await Promise.all(Array.from({ length: 20 }, (_, draw) => textsOf(draw, 4)));
  expect(others).not.toEqual(await Promise.all(Array.from({ length: 20 }, (_, draw) => textsOf(draw))));
});

/** Trains on answers of which one is too long. */
async function trainWithLong(options: Partial<GrpoTrainingOptions> = {}) {
  const long = 'far too long an answer';
  const groups = recordedGroups([
    {
      prompt: 'one',
      answers: [
        { text: 'a', score: 0 },
        { text: long, score: 1 },
      ],
    },
  ]);
  const metrics: StepMetrics[] = [];
  const events: WorkEvent[] = [];
  const policy = policyOf();
  const loader = grpoLoader(groups.prompts, {
    ...{ sampler: uniformSampler(1, { seed: 1 }), batchSize: 2, groupSize: 2 },
  });
  await trainGrpo(policy, loader, {
    ...{ rewards: [recordedReward()], rollouts: groups.rollouts, seed: 1, steps: 2, learningRate: 0.01 },
    ...{ maxCompletionLength: 4, onEvent: (event) => events.push(event) },
    onStep: (_, { step_time, ...values }) => metrics.push(values),
    ...options,
  });
  return { metrics, events };
}

test('an answer that is too long is masked and counted, and its score stays in its group', async () => {
  const { metrics, events } = await trainWithLong();
  const warnings = events.filter((event) => event.type === 'work-warning');
  expect(warnings).toEqual([expect.objectContaining({ code: 'recorded-answer-cut' })]); // once
  for (const values of metrics) {
    expect(values).toMatchObject({ 'completions/clipped_ratio': 0.5, reward: 0.5, frac_reward_zero_std: 0 });
    expect(values.loss).toBeCloseTo(Math.SQRT1_2, 3); // only the tokens of the answer with advantage -0.707
  }
  const unmasked = await trainWithLong({ maskTruncatedCompletions: false });
  expect(unmasked.metrics[0]!.loss).toBeLessThan(0.5);
});

describe('refuses', () => {
  test.each([
    [() => recordedGroups(scored, { groupSize: 1 }), 'groupSize must be an integer ≥ 2, got 1'],
    [() => recordedGroups(scored, { groupSize: 6 }), 'none of the 3 prompts has 6 answers'],
    [() => recordedGroups(scored, { size: 2 } as never), 'recordedGroups has no option "size"'],
    [() => recordedGroups(pairs as never), 'recorded prompt 0 must be { prompt, answers }'],
    [
      () => recordedGroups([{ prompt: 'a', answers: [{ text: 'b', score: Number.NaN }] }]),
      'answer 0 of recorded prompt 0 must be { text, score } with a finite score',
    ],
    [() => recordedPairs({} as never), 'recordedPairs needs an array of pairs, got an object'],
    [() => recordedPairs([{ prompt: 'a', chosen: 'b' }] as never), 'pair 0 must be { prompt, chosen, rejected }'],
  ])('%s', (call, message) => {
    expect(call).toThrow(message);
  });

  test('a loader with other prompts or another group size, and options of generation', async () => {
    const groups = recordedGroups(scored, { groupSize: 3 });
    const other = groups.rollouts.rollout(policyOf(), [{ position: 0, prompt: 'two' }], limits);
    await expect(other).rejects.toThrow("the loader's prompt at position 0 is not that of the recorded groups");
    await expect(answered(groups, { groupSize: 2 })).rejects.toThrow('the loader has groupSize 2');
    await expect(answered(groups, { topK: 3 })).rejects.toThrow('topK and topP choose tokens to generate');
  });

  test('the recorded reward for generated answers', async () => {
    const completion = { prompt: 'a', text: 'b', position: 0, ids: Int32Array.of(1), terminated: true };
    expect(() => recordedReward()([completion])).toThrow('recordedReward scores recorded answers');
    expect(recordedReward()([completion, { ...completion, score: 2 }])).toEqual([null, 2]);
    expect(lengthReward({ target: 1 })([{ ...completion, score: 2 }])).toEqual(Float64Array.of(1));
  });
});

test('a resumed run has the same answers, and other answers are refused', async () => {
  const { settings } = recordedGroups(scored, { groupSize: 3 }).rollouts;
  expect(recordedGroups(scored, { groupSize: 3 }).rollouts.settings).toEqual(settings);
  const changed = scored.map((entry) => ({ ...entry, answers: entry.answers.map((one) => ({ ...one, score: 0 })) }));
  expect(recordedGroups(changed, { groupSize: 3 }).rollouts.settings).not.toEqual(settings);
});
