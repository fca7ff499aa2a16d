import { appendFile, mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError, InvalidArgumentError, TrainingError } from '@rarefy/core';
import { activate } from '@rarefy/lm';
import { uniformSampler, weightedSampler } from '@rarefy/samplers';
import type { StepMetrics } from '@rarefy/training';
import '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { config, newModel, prompts, tokenizer } from '../../../tests/support/tiny-policy.js';
import { type CompletionRecord, jsonlCompletions } from './completion-logger.js';
import { diversityMetrics } from './diversity-metrics.js';
import { policyEvaluator } from './evaluation/evaluate-policy.js';
import { readDraws } from './loader/draws-file.js';
import { grpoLoader } from './loader/grpo-loader.js';
import type { Completion } from './rollout/rollout.js';
import { type GrpoTrainingOptions, trainGrpo } from './trainer.js';

const lowIds = (completions: readonly Completion[]) =>
  Float64Array.from(completions, ({ ids }) => ids.filter((id) => id < 150).length / ids.length);
const odd = (completions: readonly Completion[]) => completions.map(({ ids }) => (ids.length % 2 ? 1 : null));
const rewards = [
  { name: 'low', reward: lowIds },
  { name: 'odd', reward: odd, weight: 0.5 },
];

let folder: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-recording-'))));
afterEach(() => rm(folder, { recursive: true }));

async function run(options: Partial<GrpoTrainingOptions> = {}, sampler = weightedSampler([1, 2, 3, 4], { seed: 5 })) {
  const policy = { model: newModel(), tokenizer, config };
  const metrics: StepMetrics[] = [];
  const loader = grpoLoader(prompts, { sampler, batchSize: 2, groupSize: 3 });
  const error = await trainGrpo(policy, loader, {
    ...{ rewards, seed: 3, steps: 6, learningRate: 0.01, maxCompletionLength: 8 },
    onStep: (_, { step_time, ...values }) => metrics.push(values),
    evaluate: policyEvaluator(policy, ['five', 'six'], {
      ...{ rewards, seed: 9, groupSize: 2, maxPromptLength: 16, maxCompletionLength: 8 },
    }),
    evalSteps: 3,
    ...options,
  }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { metrics, error };
}

const completionsFile = () => join(folder, 'completions.jsonl');
const toFile = (done: number) => jsonlCompletions(completionsFile(), { truncateAfterStep: done });

test('completions of each step are recorded with rewards, advantage and draw, and the metrics follow from them', async () => {
  const steps: { step: number; completions: readonly CompletionRecord[]; diversity: StepMetrics }[] = [];
  const logger = {
    log: (step: number, completions: readonly CompletionRecord[], diversity: StepMetrics) =>
      void steps.push({ step, completions, diversity }),
    close() {},
  };
  const { metrics, error } = await run({ completions: logger, checkpoint: { folder } });
  expect(error).toBeUndefined();
  expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  const draws = await readDraws(folder);
  for (const [index, { completions, diversity }] of steps.entries()) {
    expect(completions.map(({ draw }) => draw)).toEqual(
      Array.from({ length: 6 }, (_, row) => 2 * index + Math.floor(row / 3)),
    );
    expect(metrics[index]).toMatchObject(diversity);
    const totals = completions.map(({ reward }) => reward!);
    expect(totals.reduce((sum, value) => sum + value, 0) / 6).toBeCloseTo(metrics[index]!.reward!, 12);
    for (const { draw, position, prompt, text, rewards: values, reward, learned, advantage } of completions) {
      expect(position).toBe(draws.positions[draw]);
      expect(prompt).toBe(prompts[position]!.prompt);
      expect(text).toBeTypeOf('string');
      expect(reward).toBe(values.low! + 0.5 * (values.odd ?? 0));
      expect(learned).toBe(true);
      expect(advantage).toSatisfy(Number.isFinite);
    }
    expect(completions.reduce((sum, { advantage }) => sum + advantage, 0)).toBeCloseTo(0, 9);
    const terminated = completions.filter((completion) => completion.terminated).length;
    expect(1 - terminated / 6).toBeCloseTo(metrics[index]!['completions/clipped_ratio']!, 12);
  }
  expect(steps.flatMap(({ completions }) => completions).some(({ rewards: values }) => values.odd === null)).toBe(true);
});

test('draws are those of the sampler with the probabilities it reports', async () => {
  await run({ checkpoint: { folder } });
  const draws = await readDraws(folder);
  const expected = weightedSampler([1, 2, 3, 4], { seed: 5 }).draw(12);
  expect([...draws.steps]).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
  expect([...draws.positions]).toEqual([...expected.positions]);
  expect([...draws.probabilities]).toEqual([...expected.probabilities!]);

  const plain = uniformSampler(4, { seed: 5 });
  const silent = { ...plain, draw: (count: number) => ({ positions: plain.draw(count).positions }) };
  await rm(join(folder, 'checkpoints'), { recursive: true });
  await run({ checkpoint: { folder }, steps: 1 }, silent as never);
  expect(await readDraws(folder)).toEqual({
    steps: Uint32Array.of(1, 1),
    positions: uniformSampler(4, { seed: 5 }).draw(2).positions,
    probabilities: Float64Array.of(Number.NaN, Number.NaN),
  });
  await expect(readDraws(join(folder, 'checkpoints'))).rejects.toThrow(InputError);
});

test('refills are draws and completions of their step too, marked as not learned from', async () => {
  const seen: CompletionRecord[] = [];
  const logger = {
    log: (_: number, completions: readonly CompletionRecord[]) => void seen.push(...completions),
    close() {},
  };
  const onlyThird = (completions: readonly Completion[]) =>
    completions.map(({ position }, row) => (position === 3 ? row : 0));
  const options = {
    rewards: [{ name: 'third', reward: onlyThird }],
    maxRefills: 3,
    steps: 2,
    evaluate: undefined,
    evalSteps: undefined,
  };
  const { error } = await run({
    ...options,
    completions: logger,
    checkpoint: { folder },
  } as object);
  expect(error).toBeUndefined();
  const { positions } = await readDraws(folder);
  expect(seen.map(({ draw }) => draw)).toEqual(
    Array.from({ length: 3 * positions.length }, (_, row) => Math.floor(row / 3)),
  );
  expect(seen.map(({ position }) => position)).toEqual(
    [...positions].flatMap((position) => [position, position, position]),
  );
  expect(seen.some(({ learned }) => !learned)).toBe(true);
  for (const { learned, position } of seen) if (learned) expect(position).toBe(3);
});

test('a run that is cut short in an evaluation or in a step resumes with the records of an uninterrupted one', async () => {
  const checkpoint = { folder, saveSteps: 100 };
  const read = async () => ({
    draws: (await readFile(join(folder, 'draws.bin'))).toString('hex'),
    completions: await readFile(completionsFile(), 'utf8'),
  });
  const whole = await run({ completions: toFile, checkpoint });
  const expected = await read();
  expect(whole.metrics.map((values) => 'eval_reward' in values)).toEqual([false, false, true, false, false, true]);
  expect(whole.metrics[2]).toMatchObject({
    'eval_completions/mean_length': expect.any(Number),
    'eval_diversity/distinct_1': expect.any(Number),
    'eval_rewards/odd/mean': expect.any(Number),
  });
  const stop = () => {
    throw new Error('stop');
  };
  const stopping: [Partial<GrpoTrainingOptions>, stepsAgain: number][] = [
    [{ evaluate: stop, completions: toFile }, 4], // the log lacks step 3
    [
      {
        completions(done) {
          const logger = toFile(done);
          const log: typeof logger.log = (step, ...rest) => {
            logger.log(step, ...rest);
            if (step === 4) stop();
          };
          return { ...logger, log };
        },
      },
      3, // the files have step 4, which did not finish
    ],
  ];
  for (const [options, stepsAgain] of stopping) {
    await rm(folder, { recursive: true });
    expect((await run({ ...options, checkpoint })).error).toMatchObject({ message: expect.stringContaining('stop') });
    await appendFile(completionsFile(), '{"step":9,"comple'); // what a crash cut off
    await appendFile(join(folder, 'draws.bin'), Buffer.from([9, 0, 0, 0, 1]));
    const rest = await run({ completions: toFile, checkpoint: { ...checkpoint, resume: true } });
    expect(rest).toEqual({ error: undefined, metrics: whole.metrics.slice(-stepsAgain) });
    expect(await read()).toEqual(expected);
  }
});

test('a failing logger of completions is named, and the step before it is saved', async () => {
  const completions = {
    name: 'disk',
    log(step: number) {
      if (step === 3) throw new Error('full');
    },
    close() {},
  };
  const { error } = await run({ completions, checkpoint: { folder } });
  expect(error).toBeInstanceOf(TrainingError);
  expect((error as Error).message).toBe("the logger 'disk' failed at step 3: full");
  const rest = await run({ checkpoint: { folder, resume: true } });
  expect(rest.metrics).toEqual((await run()).metrics.slice(2));
  const stuck = await run({ completions: { log() {}, close: () => Promise.reject(new Error('stuck')) }, steps: 1 });
  expect(stuck.error).toMatchObject({ message: "the logger 'completions' failed to close: stuck" });
  for (const wrong of [{ log() {} }, 'completions.jsonl', () => ({})]) {
    expect((await run({ completions: wrong as never })).error).toBeInstanceOf(InvalidArgumentError);
  }
});

test('draws that end before the checkpoint are an error; without the file, a resumed run starts one', async () => {
  await run({ steps: 4, checkpoint: { folder } });
  const path = join(folder, 'draws.bin');
  await truncate(path, 5 * 16);
  const { error } = await run({ checkpoint: { folder, resume: true } });
  expect(error).toBeInstanceOf(CorruptFileError);
  expect((error as Error).message).toContain('ends at step 3, and the run resumes after step 4; move the file away');
  await rm(path);
  expect((await run({ checkpoint: { folder, resume: true } })).error).toBeUndefined();
  expect([...(await readDraws(folder)).steps]).toEqual([5, 5, 6, 6]);
});

test('an evaluator with wrong arguments is refused when it is made, not at the first evaluation', () => {
  const policy = { model: newModel(), tokenizer, config };
  const good = { rewards, seed: 1 };
  for (const [call, message] of [
    [() => policyEvaluator(policy, [], good), 'policyEvaluator has no prompts'],
    [() => policyEvaluator(policy, 'one' as never, good), 'policyEvaluator'],
    [() => policyEvaluator({} as never, ['one'], good), 'policyEvaluator'],
    [() => policyEvaluator(policy, ['one'], { ...good, groupSize: 0 }), 'groupSize'],
    [() => policyEvaluator(policy, ['one'], { ...good, topP: 2 }), 'topP'],
    [() => policyEvaluator(policy, ['one'], { ...good, maxCompletionLength: 99 }), '32 positions'],
    [() => policyEvaluator(policy, ['one'], { ...good, stepss: 1 } as never), 'stepss'],
  ] as const) {
    expect(call, message).toThrow(InvalidArgumentError);
    expect(call, message).toThrow(message);
  }
});

test('diversity of completions on cases that can be checked by hand', () => {
  const same = diversityMetrics(['a b c', 'a b c', 'a b c', 'a b c'], 2);
  expect(same).toEqual({
    'diversity/distinct_1': 3 / 12,
    'diversity/distinct_2': 2 / 8,
    'diversity/group_distinct_2': 2 / 4,
    'diversity/group_unique': 1 / 2,
    'diversity/group_vendi': expect.closeTo(1, 9),
    'diversity/em_dash_per_1000_words': 0,
    'diversity/mean_words': 3,
  });
  const different = diversityMetrics(['a b', 'c — d', '', 'e'], 2);
  expect(different).toMatchObject({
    'diversity/distinct_1': 1,
    'diversity/group_unique': 1,
    'diversity/group_vendi': expect.closeTo(2, 9),
    'diversity/em_dash_per_1000_words': 200,
    'diversity/mean_words': 1.25,
  });
  // Cosine 1/2: eigenvalues 3/4 and 1/4 of K / 2.
  const half = diversityMetrics(['a b', 'b c'], 2)['diversity/group_vendi'];
  expect(half).toBeCloseTo(Math.exp(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))), 12);
  expect(diversityMetrics(['', ''], 2)).toMatchObject({
    'diversity/distinct_1': Number.NaN,
    'diversity/group_vendi': 1,
  });
});
