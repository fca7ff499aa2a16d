import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, InvalidArgumentError, type MetricLogger, TrainingError } from '@rarefy/core';
import {
  activate,
  fromForwardModel,
  initialWeights,
  languageModel,
  loadWeights,
  rewardModel,
  snapshot,
} from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import { jsonlLogger, trainLanguageModel, trainRewardModel } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { config, prompts, tokenizer } from '../../../tests/support/tiny-policy.js';
import { evaluatePolicy } from './evaluation/evaluate-policy.js';
import { grpoLoader, promptRows } from './loader/grpo-loader.js';
import { groupAdvantages } from './losses/advantages.js';
import { dapoLoss, grpoLoss } from './losses/policy-losses.js';
import { lengthReward, rewardModelReward } from './rewards/built-in-rewards.js';
import { scoreCompletions } from './rewards/reward-function.js';
import { rollout } from './rollout/rollout.js';
import { trainGrpo } from './trainer.js';

const configOf = (positions: number) => ({ ...config, max_position_embeddings: positions });
const rewards = [{ name: 'length', reward: lengthReward({ target: 3 }) }];

function newPolicy(positions = 32) {
  const config = configOf(positions);
  return { model: languageModel(config, initialWeights(config, 1)), tokenizer, config };
}
const newLoader = () =>
  grpoLoader(prompts, { sampler: weightedSampler([1, 1, 1, 1], { seed: 1 }), batchSize: 1, groupSize: 2 });
const train = (options: object = {}, policy: Parameters<typeof trainGrpo>[0] = newPolicy()) =>
  trainGrpo(policy, newLoader(), { rewards, seed: 1, steps: 3, learningRate: 0.01, ...options });

let folder: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-misuse-'))));
afterEach(() => rm(folder, { recursive: true }));

describe('a folder that holds a run', () => {
  test('is refused without resume, and stays as it is', async () => {
    const checkpoint = { folder, saveSteps: 1 };
    await train({ checkpoint });
    const files = await readdir(join(folder, 'checkpoints'));
    const policy = newPolicy();
    const trainers = [
      () => train({ checkpoint, steps: 1 }),
      () => {
        const examples = () => [{ ids: Int32Array.of(1, 2), firstTrained: 1 }];
        return trainLanguageModel(policy, {
          ...{ kind: 'base' as const, examples, data: '', steps: 1 },
          ...{ learningRate: 1, checkpoint },
        });
      },
      () => {
        const pairs = [{ prompt: 'a', chosen: 'b', rejected: 'c' }];
        return trainRewardModel(policy, rewardModel(policy.model), pairs as never, {
          ...{ seed: 1, steps: 1, learningRate: 1, checkpoint },
        });
      },
    ];
    for (const trainer of trainers) {
      await expect(trainer()).rejects.toThrow(InputError);
      await expect(trainer()).rejects.toThrow('already holds a run; continue it with checkpoint.resume');
    }
    expect(await readdir(join(folder, 'checkpoints'))).toEqual(files);
    await train({ checkpoint: { ...checkpoint, resume: true }, steps: 4 });
  });
});

describe('loggers and onStep', () => {
  const slow = (seen: string[], name: string, fail = false): MetricLogger => ({
    name,
    async log(step) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (fail && step === 2) throw new Error('disk full');
      seen.push(`${name} ${step}`);
    },
    close: () => void seen.push(`${name} closed`),
  });

  test('are awaited in order, and loggers are closed', async () => {
    const seen: string[] = [];
    const onStep = async (step: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push(`onStep ${step}`);
    };
    await train({ steps: 2, loggers: [slow(seen, 'a'), slow(seen, 'b')], onStep });
    expect(seen).toEqual(['a 1', 'b 1', 'onStep 1', 'a 2', 'b 2', 'onStep 2', 'a closed', 'b closed']);
  });

  test('a logger that fails stops the run with its name, and the others are closed', async () => {
    const seen: string[] = [];
    const failed = train({ loggers: [slow(seen, 'good'), slow(seen, 'wandb', true)] });
    await expect(failed).rejects.toThrow(TrainingError);
    await expect(failed).rejects.toThrow("the logger 'wandb' failed at step 2: disk full");
    expect(seen).toEqual(['good 1', 'wandb 1', 'good 2', 'good closed', 'wandb closed']);
    const { name: _, ...nameless } = slow(seen, '', true);
    await expect(train({ loggers: [nameless] })).rejects.toThrow('loggers[0] failed at step 2');
    await expect(train({ onStep: () => Promise.reject(new Error('mine')) })).rejects.toThrow('mine');
    await expect(train({ loggers: slow(seen, 'one') })).rejects.toThrow('loggers must be an array');
  });

  test('a function of the finished steps continues the log of a resumed run', async () => {
    const path = join(folder, 'metrics.jsonl');
    const loggers = (done: number) => [jsonlLogger(path, { truncateAfterStep: done })];
    await train({ steps: 2, checkpoint: { folder, saveSteps: 1 }, loggers });
    await train({ steps: 4, checkpoint: { folder, resume: true }, loggers });
    const steps = (await readFile(path, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).step);
    expect(steps).toEqual([1, 2, 3, 4]);
  });
});

describe('lengths', () => {
  test.each([16, 48, 300])('defaults work on a model with %d positions', async (positions) => {
    await train({ steps: 1 }, newPolicy(positions));
    await train({ steps: 1, maxPromptLength: 12 }, newPolicy(positions));
    await train({ steps: 1, maxCompletionLength: 4 }, newPolicy(positions));
  });

  test('that do not fit name the option to change', async () => {
    const both = train({ maxPromptLength: 30, maxCompletionLength: 8 });
    await expect(both).rejects.toThrow(
      'maxPromptLength 30 and maxCompletionLength 8 do not fit into the 32 positions of the model; lower one of them',
    );
    await expect(train({ maxCompletionLength: 30 })).rejects.toThrow('lower maxCompletionLength');
    await expect(train({ maxPromptLength: 2 })).rejects.toThrow('Increase maxPromptLength');
    await expect(train({}, newPolicy(4))).rejects.toThrow('the model has 4 positions');
    await expect(train({ microBatchSize: 0 })).rejects.toThrow('microBatchSize');
  });
});

test('options that nobody knows are refused, with the nearest known one', async () => {
  const { model } = newPolicy();
  const sampler = weightedSampler([1, 1, 1, 1], { seed: 1 });
  const lengths = { groupSize: 1, maxPromptLength: 16, maxCompletionLength: 4, seed: 1 };
  const wrong: Record<string, [call: (options: never) => unknown, options: object]> = {
    'trainGrpo has no option "learning_rate"; did you mean "learningRate"?': [train, { learning_rate: 1 }],
    'checkpoint has no option "saveStep"': [train, { checkpoint: { folder, saveStep: 5 } }],
    'grpoLoader has no option "batch_size"': [(o) => grpoLoader(prompts, o), { sampler, batch_size: 2 }],
    'importance has no option "betta"': [(o) => grpoLoader(prompts, o), { sampler, importance: { betta: 1 } }],
    "importance must be 'none'": [(o) => grpoLoader(prompts, o), { sampler, importance: 'ful' }],
    'toDataset has no option "libs"': [(o) => newLoader().toDataset(o), { libs: 1 }],
    'dapoLoss has no option "epsilonLow"': [dapoLoss, { epsilonLow: 0.1 }],
    'grpoLoss has no option "betas"': [grpoLoss, { betas: 0.1 }],
    'groupAdvantages has no option "scale"': [(o) => groupAdvantages(Float64Array.of(1, 2), 2, o), { scale: 'none' }],
    'lengthReward has no option "targets"': [lengthReward, { target: 1, targets: 2 }],
    'rewardModelReward has no option "batch"': [
      (o) => rewardModelReward({ reward: rewardModel(model), tokenizer }, o),
      { batch: 1 },
    ],
    'scoreCompletions has no option "abort"': [(o) => scoreCompletions(rewards, [], o), { abort: 1 }],
    'jsonlLogger has no option "truncate"': [(o) => jsonlLogger(join(folder, 'a.jsonl'), o), { truncate: 1 }],
    'rollout has no option "top_p"': [
      (o) => rollout({ model, tokenizer }, [], o),
      { ...lengths, first: 0, top_p: 0.5 },
    ],
    'evaluatePolicy has no option "batchsize"': [
      (o) => evaluatePolicy({ model, tokenizer }, [], o),
      { ...lengths, rewards, batchsize: 2 },
    ],
    'trainRewardModel has no option "max_length"': [
      (o) => trainRewardModel(newPolicy(), rewardModel(model), [], o),
      { max_length: 5 },
    ],
  };
  for (const [message, [call, options]] of Object.entries(wrong)) {
    const attempt = async () => call(options as never);
    await expect(attempt(), message).rejects.toThrow(message);
    await expect(attempt(), message).rejects.toThrow(InvalidArgumentError);
  }
});

test('arguments and nested options of another kind are refused in words', async () => {
  const policy = newPolicy();
  const { model } = policy;
  const run = (of: unknown, loader: unknown = newLoader(), options: object = {}) =>
    trainGrpo(of as never, loader as never, { rewards, seed: 1, steps: 1, learningRate: 0.01, ...options });
  const reward = rewards[0]!.reward;
  const evaluation = { rewards: reward, maxPromptLength: 16, maxCompletionLength: 4, seed: 1 };
  const wrong: [call: () => unknown, message: string][] = [
    [() => run(model), 'trainGrpo needs { model, tokenizer }, got a model'],
    [() => run({ model }), 'trainGrpo needs a tokenizer, got undefined'],
    [() => run(Promise.resolve(policy)), 'got a promise; did you forget await?'],
    [() => run({ model: { forward() {} }, tokenizer }), 'make it with fromForwardModel'],
    [() => run(policy, weightedSampler([1], { seed: 1 })), 'got a sampler; give grpoLoader(prompts, { sampler })'],
    [() => run(policy, prompts), 'trainGrpo needs a loader, got an array'],
    [() => train({ steps: '3' }), 'steps must be an integer ≥ 0, got "3"'],
    [() => train({ seed: undefined }), 'seed must be a safe integer, got undefined'],
    [() => train({ loss: 'grpo' }), 'loss must be a loss, such as grpoLoss(), got "grpo"'],
    [() => train({ loss: grpoLoss }), 'got a function; call the function that makes one'],
    [() => train({ reference: policy, loss: grpoLoss({ beta: 1 }) }), 'an object that holds one; give its `model`'],
    [() => train({ reference: model }), "the loss 'dapo' has beta 0, which ignores it"],
    [
      () => train({ loss: grpoLoss({ beta: 0.04 }) }),
      "the loss 'grpo' has beta 0.04, so trainGrpo needs the option `reference`",
    ],
    [() => train({ rewards: reward }), 'rewards must be an array of rewards, got a function; give [the function]'],
    [() => train({ rewards: undefined }), 'rewards must be an array of rewards, got undefined'],
    [() => train({ rewards: [] }), 'rewards is empty'],
    [() => train({ rewards: [() => 1] }), "rewards[0] is a function without a name; give { name: 'short'"],
    [() => train({ rewards: ['length'] }), 'rewards[0] must be { name, reward }, got a string'],
    [() => train({ rewards: [{ reward }] }), 'rewards[0] needs a name'],
    [
      () => train({ rewards: [{ name: 'a', reward: 3 }] }),
      "the reward of 'a' must be a function of completions, got 3",
    ],
    [() => train({ rewards: [{ name: 'a', reward, wieght: 2 }] }), 'rewards[0] has no option "wieght"'],
    [() => train({ rewards: [{ name: 'a', reward, weight: '2' }] }), 'must be finite, got "2"'],
    [() => train({ checkpoint: { foldr: folder } }), 'checkpoint has no option "foldr"; did you mean "folder"?'],
    [() => train({ optimizer: { lr: 1 } }), 'trainGrpo has no option "optimizer"'],
    [() => train({ schedule: 'cosine' }), 'such as learningRateSchedule(\'cosine\'), got "cosine"'],
    [() => train({ temperature: '1' }), 'temperature must be finite and ≥ 0, got "1"'],
    [() => train({ topP: 0 }), 'topP must be a number in (0, 1], got 0'],
    [() => train({ topK: 1.5 }), 'topK must be an integer ≥ 0, got 1.5'],
    [() => grpoLoss({ epsilon: '0.2' as never }), 'epsilon must be a number in [0, 1], got "0.2"'],
    [() => rollout(model as never, [], {} as never), 'rollout needs { model, tokenizer }, got a model'],
    [() => evaluatePolicy(policy, [], evaluation as never), 'rewards must be an array of rewards'],
    [
      () => rewardModelReward({ reward: model as never, tokenizer }),
      'rewardModelReward needs a reward model, got an object',
    ],
    [
      () => rewardModelReward({ reward: rewardModel(model) } as never),
      'rewardModelReward needs a tokenizer, got undefined',
    ],
    [() => trainRewardModel(policy, model as never, [], {} as never), 'trainRewardModel needs a reward model'],
    [() => train({}, { ...policy, model: snapshot(model) }), 'train the model that it was taken from'],
  ];
  for (const [call, message] of wrong) {
    const attempt = async () => call();
    await expect(attempt(), message).rejects.toThrow(message);
    await expect(attempt(), message).rejects.toThrow(InvalidArgumentError);
  }
});

test('a function names its reward, and what a reward returns is checked', async () => {
  const seen: string[] = [];
  function brevity(completions: readonly unknown[]) {
    return new Float64Array(completions.length);
  }
  const onStep = (_: number, metrics: object) => seen.push(...Object.keys(metrics));
  await train({ steps: 1, rewards: [brevity, lengthReward({ target: 3 })], onStep });
  expect(seen).toEqual(expect.arrayContaining(['rewards/brevity/mean', 'rewards/length/mean']));
  const returning = (value: unknown) => train({ steps: 1, rewards: [{ name: 'judge', reward: () => value }] });
  for (const [value, message] of [
    [undefined, "reward 'judge' returned undefined; return a Float64Array with one number per completion (2)"],
    [3, "reward 'judge' returned a number; return"],
    [Float64Array.of(1), "reward 'judge' returned 1 values for 2 completions"],
    [['1', '2'], 'reward \'judge\' returned "1" for row 0; rewards must be finite numbers'],
  ] as const) {
    await expect(returning(value), message).rejects.toThrow(TrainingError);
    await expect(returning(value), message).rejects.toThrow(message);
  }
});

test('a model of one’s own trains without a config, and its checkpoint loads again', async () => {
  const own = () => {
    const { model: inner } = newPolicy();
    const { head, parameters } = inner;
    return fromForwardModel(inner, { head, parameters, maxPositions: 32 });
  };
  const model = own();
  await train({ steps: 2, checkpoint: { folder } }, { model, tokenizer });
  const again = own();
  await loadWeights(again, join(folder, 'checkpoints', 'step-000002'));
  for (const [name, variable] of Object.entries(again.parameters)) {
    expect([...variable.dataSync()], name).toEqual([...model.parameters[name]!.dataSync()]);
  }
  const { model: builtIn } = newPolicy();
  await expect(train({ checkpoint: { folder: join(folder, 'b') } }, { model: builtIn, tokenizer })).rejects.toThrow(
    'a llama model needs its `config`',
  );
  const bias = tf.ones<tf.Rank.R1>([tokenizer.vocabularySize]);
  const { head, parameters } = builtIn;
  const lying = fromForwardModel(builtIn, { head: { ...head, bias }, parameters, maxPositions: 32 });
  await expect(train({}, { model: lying, tokenizer })).rejects.toThrow('are not those of the head');
  await expect(train({ reference: lying, loss: grpoLoss({ beta: 0.1 }) })).rejects.toThrow('not those of the head');
});

test('a reference that shares weights with the policy is refused, and a snapshot of it is not', async () => {
  const policy = newPolicy();
  const loss = grpoLoss({ beta: 0.1 });
  await expect(train({ reference: policy.model, loss }, policy)).rejects.toThrow(
    'give reference: snapshot(policy.model)',
  );
  using reference = snapshot(policy.model);
  await train({ reference, loss }, policy);
});

test('a tokenizer with more tokens than the model is refused', async () => {
  const { model } = newPolicy();
  const larger = { ...tokenizer, vocabularySize: model.description.vocabularySize + 1 };
  await expect(train({}, { ...newPolicy(), tokenizer: larger })).rejects.toThrow(
    `the tokenizer has ${larger.vocabularySize} tokens, and the model only`,
  );
});

test('a JSON Lines log creates its folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rarefy-log-'));
  const path = join(folder, 'new', 'run', 'metrics.jsonl');
  const logger = jsonlLogger(path);
  await logger.log(1, { reward: 0.5 });
  await logger.close();
  expect(await readFile(path, 'utf8')).toBe('{"step":1,"reward":0.5}\n');
  await rm(folder, { recursive: true });
});

test('missing options, a controller for a signal, and a loader for a batch are named', async () => {
  expect(() => lengthReward(undefined as never)).toThrow('target must be a number of words > 0, got undefined');
  expect(() => lengthReward([] as never)).toThrow('the options of lengthReward must be an object, got an array');
  const sampler = weightedSampler([1, 1, 1, 1], { seed: 1 });
  const loader = grpoLoader(prompts, { sampler });
  await expect(trainGrpo(newPolicy(), loader, undefined as never)).rejects.toThrow('rewards must be an array');
  await expect(train({ signal: new AbortController() as never })).rejects.toThrow(
    'signal must be an AbortSignal, got an object; give its `signal`',
  );
  expect(() => promptRows(loader as never)).toThrow('promptRows needs a batch of a loader, got an object');
  expect(() => loader.restore(JSON.stringify(loader.state()) as never)).toThrow('parse it with JSON.parse');
});
