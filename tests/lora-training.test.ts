import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateMismatchError } from '@rarefy/core';
import { grpoLoader, grpoLoss, lengthReward, trainGrpo } from '@rarefy/grpo';
import {
  activate,
  type CausalLanguageModel,
  initialWeights,
  type LoraOptions,
  languageModel,
  loadLanguageModel,
  loadLora,
  lora,
  mergeLora,
  recomputed,
  rewardModel,
  saveLanguageModel,
} from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import {
  latestCheckpoint,
  type StepMetrics,
  shuffled,
  type TrainingOptions,
  trainLanguageModel,
  trainRewardModel,
} from '@rarefy/training';
import '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { config as oneLayer, prompts, tokenizer } from './support/tiny-policy.js';

const config = { ...oneLayer, num_hidden_layers: 2 };
const newBase = (seed = 1) => languageModel(config, initialWeights(config, seed));
const pairs = prompts.map(({ prompt }, index) => ({
  ...{ id: String(index), prompt, chosen: 'yes', rejected: 'no', src: 'test' },
}));

type Trainer = (model: CausalLanguageModel, options: Omit<TrainingOptions, 'learningRate'>) => Promise<unknown>;

const sft: Trainer = (model, options) =>
  trainLanguageModel(
    { model, tokenizer, config },
    {
      ...{ kind: 'sft', data: 'test', learningRate: 0.05 },
      examples: shuffled(
        prompts.map(({ prompt }) => ({ ids: Int32Array.from(tokenizer.encode(prompt)), firstTrained: 1 })),
        { batchSize: 2, seed: 1 },
      ),
      ...options,
    },
  );

const rewards: Trainer = async (model, options) => {
  const reward = rewardModel(model);
  await trainRewardModel({ model, tokenizer, config }, reward, pairs, {
    ...{ batchSize: 2, learningRate: 0.05, seed: 1 },
    ...options,
  });
  return [...(await reward.head()).get('score.weight')!.data];
};

/** With `beta` > 0. Default reference: the base of the policy. */
const grpo =
  (reference?: CausalLanguageModel): Trainer =>
  (model, options) => {
    const sampler = weightedSampler([1, 1, 1, 1], { seed: 1 });
    const loader = grpoLoader(prompts, { sampler, batchSize: 2, groupSize: 2 });
    return trainGrpo({ model, tokenizer, config }, loader, {
      ...{ rewards: [{ name: 'length', reward: lengthReward({ target: 3 }) }], seed: 1, learningRate: 0.05 },
      ...{ maxCompletionLength: 6, loss: grpoLoss({ beta: 0.1 }), reference: reference ?? model.adapter!.base },
      ...options,
    });
  };

const trainers = { sft, rm: rewards, grpo: grpo() };
const options: LoraOptions = { rank: 2, alpha: 4, seed: 3, basePath: 'base' };

let folder: string;
beforeAll(() => activate('wasm'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-lora-'))));
afterEach(() => rm(folder, { recursive: true }));

/** Metrics of each step without times, all weights, and what the trainer returned. */
async function run(train: Trainer, model: CausalLanguageModel, training: Partial<TrainingOptions>) {
  const metrics: StepMetrics[] = [];
  const onStep = (_: number, { step_time, ...values }: StepMetrics) => metrics.push(values);
  const result = await train(model, { steps: 6, onStep, ...training });
  const weights = Object.entries({ ...model.frozen, ...model.parameters }).map(([name, each]) => [
    name,
    [...each.dataSync<'float32'>()],
  ]);
  return { metrics, weights: Object.fromEntries(weights), result };
}

test.each(Object.entries(trainers))('%s with an adapter resumes exactly', async (_, train) => {
  const base = newBase();
  const before = Object.entries(base.parameters).map(([name, each]) => [name, [...each.dataSync<'float32'>()]]);
  const whole = await run(train, lora(base, options), {});
  expect(whole.weights).toMatchObject(Object.fromEntries(before)); // the base, bit for bit
  const checkpoint = { folder, saveSteps: 2 };
  const stopped = new AbortController();
  const abortAt4 = (step: number) => {
    if (step === 4) stopped.abort(new Error('stop'));
  };
  const model = lora(newBase(), options);
  await expect(run(train, model, { checkpoint, onStep: abortAt4, signal: stopped.signal })).rejects.toThrow('stop');
  const saved = await latestCheckpoint(join(folder, 'checkpoints'));
  const files = await readdir(saved!);
  expect(files).toEqual(expect.arrayContaining(['adapter_config.json', 'adapter_model.safetensors', 'trainer.json']));
  expect(files).not.toContain('model.safetensors');

  // Other initial values of the adapter, and recomputed activations, whose gradients are the same.
  const resumed = recomputed(lora(newBase(), { ...options, seed: 99 }));
  const rest = await run(train, resumed, { checkpoint: { ...checkpoint, resume: true } });
  expect(rest.weights).toEqual(whole.weights);
  expect(rest.metrics).toEqual(whole.metrics.slice(4));
  expect(rest.result).toEqual(whole.result);
});

test('a resume with another adapter, or on another base, is refused', async () => {
  await run(sft, lora(newBase(), options), { steps: 1, checkpoint: { folder } });
  const changes: [CausalLanguageModel, string][] = [
    [lora(newBase(), { ...options, alpha: 6 }), 'lora.alpha was 4 and is now 6'],
    [lora(newBase(), { ...options, rank: 3 }), 'lora.rank was 2 and is now 3'],
    [lora(newBase(), { ...options, targets: ['q_proj'] }), 'lora.targets was'],
    [lora(newBase(2), options), 'lora.base was'],
    [newBase(), 'lora.rank was 2 and is now none'],
  ];
  for (const [model, message] of changes) {
    const again = run(sft, model, { checkpoint: { folder, resume: true } });
    await expect(again).rejects.toThrow(message);
    await expect(again).rejects.toThrow(StateMismatchError);
  }
});

test('the base as the reference gives the divergence from where the run began', async () => {
  const model = lora(newBase(), options);
  const { metrics } = await run(grpo(), model, { steps: 3 });
  expect(metrics[0]!.kl).toBeCloseTo(0, 6);
  expect(metrics[2]!.kl).toBeGreaterThan(1e-5);
  const second = await run(grpo(newBase()), lora(newBase(), options), { steps: 3 });
  expect(second.metrics).toEqual(metrics);
});

test('a run folder with an adapter loads as a plain model, and as the base of another adapter', async () => {
  const base = newBase();
  await saveLanguageModel(join(folder, 'base'), { model: base, tokenizer, config });
  const model = lora(base, { ...options, basePath: join(folder, 'base') });
  await run(sft, model, { steps: 2, checkpoint: { folder: join(folder, 'run') } });
  const checkpoint = (await latestCheckpoint(join(folder, 'run', 'checkpoints')))!;
  const weightsOf = ({ parameters }: CausalLanguageModel) =>
    Object.fromEntries(Object.entries(parameters).map(([name, each]) => [name, [...each.dataSync<'float32'>()]]));
  const merged = mergeLora(model);
  const loaded = await loadLanguageModel(checkpoint);
  expect(weightsOf(loaded.model)).toEqual(weightsOf(merged));
  expect(loaded.config).toEqual(config);

  const again = await loadLora((await loadLanguageModel(join(folder, 'base'))).model, checkpoint);
  expect(weightsOf(again.model)).toEqual(weightsOf(model));
  expect(again.model.adapter).toMatchObject({ rank: 2, alpha: 4, targets: model.adapter!.targets });

  const second = lora(loaded.model, { rank: 1, seed: 5, basePath: checkpoint });
  await run(sft, second, { steps: 1 });
  await saveLanguageModel(join(folder, 'second'), { model: second, tokenizer });
  await cp(join(folder, 'second'), join(folder, 'third'), { recursive: true });
  const third = await loadLanguageModel(join(folder, 'third'));
  expect(weightsOf(third.model)).toEqual(weightsOf(mergeLora(second)));
  expect(JSON.parse(await readFile(join(folder, 'third', 'adapter_config.json'), 'utf8')).r).toBe(1);
});
