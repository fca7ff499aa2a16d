import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, InvalidArgumentError, StateMismatchError, type WorkEvent } from '@rarefy/core';
import type { Pair } from '@rarefy/data';
import { activate, initialWeights, languageModel, rewardModel } from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StepMetrics } from '../run/train-with-checkpoints.js';
import { evaluateRewardModel, wilsonInterval } from './evaluate-reward-model.js';
import { splitPairs } from './pair-rows.js';
import { type RewardModelTrainingOptions, trainRewardModel } from './train-reward-model.js';

const words = ['river', 'stone', 'apple', 'cloud', 'green', 'paper', 'light', 'seven'];
const pairs = Array.from({ length: 20 }, (_, index): Pair => {
  const [a, b] = [words[index % 8]!, words[(index * 3 + 1) % 8]!];
  const answers = { chosen: `yes ${a}`, rejected: index % 5 === 0 ? `no, never ${b} or ${a}` : `no ${b}` };
  return { id: `${index}`, src: 'test', prompt: `${a} ${b} ${index}`, ...answers };
});
const tokenizer = trainBytePairTokenizer(
  pairs.flatMap(({ prompt, chosen, rejected }) => [prompt, chosen, rejected]),
  { vocabularySize: 300 },
);
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 48,
};

/** One run: its result, its metrics without times, its final weights, and a way to evaluate them. */
async function train(options: Partial<RewardModelTrainingOptions>, given: readonly Pair[] = pairs) {
  const model = languageModel(config, initialWeights(config, 1));
  const reward = rewardModel(model);
  const metrics: StepMetrics[] = [];
  const result = await trainRewardModel({ model, tokenizer, config }, reward, given, {
    ...{ steps: 6, batchSize: 5, learningRate: 0.01, seed: 1, onEvent: () => {} },
    onStep: (_, { step_time, ...values }) => metrics.push(values),
    ...options,
  });
  const weights = Object.values(reward.parameters).map((variable) => [...variable.dataSync()]);
  return { result, metrics, weights, reward };
}
const evaluated = (metrics: readonly StepMetrics[]) =>
  metrics.flatMap((values, index) => ('eval_loss' in values ? [index + 1] : []));

let folder: string;
beforeAll(() => activate('wasm'));
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-held-out-'))));
afterEach(() => rm(folder, { recursive: true }));

test('micro-batches of any size give the step of the whole batch', async () => {
  const margined = pairs.map((pair, index) => ({ ...pair, margin: (index % 3) / 2 }));
  const options = { steps: 3, centerRewardsCoefficient: 0.05 };
  const whole = await train({ ...options, microBatchSize: 5 }, margined);
  const before = tf.memory().numTensors;
  for (const microBatchSize of [1, 2]) {
    const parts = await train({ ...options, microBatchSize }, margined);
    for (const [step, values] of whole.metrics.entries()) {
      for (const [name, value] of Object.entries(values))
        expect(parts.metrics[step]![name], name).toBeCloseTo(value, 5);
    }
    const [some, all] = [parts.weights.flat(), whole.weights.flat()];
    expect(Math.max(...some.map((weight, index) => Math.abs(weight - all[index]!)))).toBeLessThan(1e-4);
    parts.reward.dispose();
    expect(tf.memory().numTensors).toBe(before);
  }
  const unmargined = await train({ ...options, microBatchSize: 5 });
  expect(whole.metrics[0]!.loss).toBeGreaterThan(unmargined.metrics[0]!.loss! + 0.1);
});

test('held-out pairs are evaluated at the given steps and the last one, under the names of TRL', async () => {
  const evaluation = { share: 0.3, everySteps: 4, keepBest: false };
  const { result, metrics, reward } = await train({ evaluation, centerRewardsCoefficient: 0.1, microBatchSize: 2 });
  expect(evaluated(metrics)).toEqual([4, 6]);
  const { heldOut, train: rest } = splitPairs(pairs, 0.3);
  expect(result).toMatchObject({ pairs: rest.length, steps: 6, step: 6, evaluation: { pairs: heldOut.length } });
  const own = await evaluateRewardModel({ reward, tokenizer }, heldOut, {
    centerRewardsCoefficient: 0.1,
    batchSize: 3,
  });
  const { eval_loss, eval_accuracy, eval_margin, eval_min_reward, eval_mean_reward, eval_max_reward } = metrics[5]!;
  expect(eval_loss).toBeCloseTo(own.loss, 5);
  expect(eval_accuracy).toBe(own.accuracy);
  expect(eval_margin).toBeCloseTo(own.margin, 5);
  expect([eval_min_reward, eval_mean_reward, eval_max_reward]).toEqual([
    ...[expect.closeTo(own.minReward, 5), expect.closeTo(own.meanReward, 5), expect.closeTo(own.maxReward, 5)],
  ]);
  // The same split given as two lists trains the same.
  const apart = await train(
    {
      ...{ evaluation: { pairs: heldOut, everySteps: 4, keepBest: false } },
      centerRewardsCoefficient: 0.1,
      microBatchSize: 2,
    },
    rest,
  );
  expect(apart.metrics).toEqual(metrics);
});

test('a sampler draws none of the held-out pairs', async () => {
  const { heldOut } = splitPairs(pairs, 0.5);
  const weights = pairs.map((pair) => (heldOut.includes(pair) ? 1 : 0));
  const sampler = weightedSampler(weights, { seed: 1 });
  await expect(train({ sampler, evaluation: { share: 0.5 } })).rejects.toThrow(
    'the sampler draws only pairs that are left out',
  );
});

describe('the best weights', () => {
  // The labels of the held-out pairs are the opposite: each step makes the loss there worse.
  const opposite = pairs.slice(0, 6).map((pair) => ({ ...pair, chosen: pair.rejected, rejected: pair.chosen }));
  const evaluation = { pairs: opposite, everySteps: 1, patience: 3 };

  test.each(['in memory', 'in checkpoints'])('end the run when nothing gets better, and stay, %s', async (where) => {
    const checkpoint = where === 'in memory' ? {} : { checkpoint: { folder, saveSteps: 1, keep: 1 } };
    const options = { ...checkpoint, steps: 20, learningRate: 0.02 };
    const { result, metrics, weights, reward } = await train({ ...options, evaluation });
    const best =
      metrics.reduce((least, values, index) => (values.eval_loss! < metrics[least]!.eval_loss! ? index : least), 0) + 1;
    expect(result).toMatchObject({ steps: best + 3, step: best });
    expect(metrics).toHaveLength(best + 3);
    const now = await evaluateRewardModel({ reward, tokenizer }, opposite);
    expect(now.loss).toBeCloseTo(metrics[best - 1]!.eval_loss!, 5);
    expect(result.evaluation!.loss).toBe(metrics[best - 1]!.eval_loss);
    const shorter = await train({ steps: best, learningRate: 0.02 });
    expect(weights).toEqual(shorter.weights);
    if (where === 'in memory') return;
    const name = (step: number) => `step-${String(step).padStart(6, '0')}`;
    expect(await readdir(join(folder, 'checkpoints'))).toEqual([name(best), name(best + 3)]);
    const again = await train({ ...options, evaluation, checkpoint: { folder, keep: 1, resume: true } });
    expect(again.metrics).toEqual([]); // the run has ended
    expect(again.weights).toEqual(weights);
    expect(again.result).toEqual(result);
  });

  test('are not kept with keepBest: false', async () => {
    const before = tf.memory().numTensors;
    const { result, weights, reward } = await train({ steps: 5, evaluation: { ...evaluation, keepBest: false } });
    expect(result.step).toBe(result.steps);
    expect(weights).toEqual((await train({ steps: result.steps })).weights);
    reward.dispose();
    expect(tf.memory().numTensors).toBeLessThan(before + 40); // the model of the second run
  });

  test('may be those of the highest accuracy', async () => {
    const { result, metrics } = await train({
      ...{ steps: 6, learningRate: 0.02 },
      evaluation: { share: 0.5, everySteps: 1, metric: 'eval_accuracy' },
    });
    const accuracies = metrics.map(({ eval_accuracy }) => eval_accuracy!);
    expect(result.step).toBe(accuracies.indexOf(Math.max(...accuracies)) + 1);
  });
});

describe('a run that is stopped', () => {
  const evaluation = { share: 0.4, everySteps: 2 };

  test('during an evaluation evaluates again when it resumes, with equal metrics and weights', async () => {
    const whole = await train({ evaluation, checkpoint: { folder: join(folder, 'whole') } });
    const stop = new AbortController();
    const seen: StepMetrics[] = [];
    const events: WorkEvent[] = [];
    // The trainer checks the signal right before step 4, and step 4 itself never waits. So a timer that this check starts fires
    // during the evaluation after step 4.
    stop.signal.throwIfAborted = () => {
      if (stop.signal.aborted) throw stop.signal.reason;
      if (seen.length === 3) setTimeout(() => stop.abort(new Error('enough')));
    };
    const stopped = train({
      ...{ evaluation, checkpoint: { folder: join(folder, 'stopped') }, signal: stop.signal },
      onStep: (_step: number, { step_time, ...values }: StepMetrics) => void seen.push(values),
      onEvent: (event) => events.push(event),
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(seen).toHaveLength(3);
    expect(events.filter(({ type }) => type === 'work-warning')).toEqual([]);
    expect(await readdir(join(folder, 'stopped/checkpoints'))).toContain('step-000004');
    const rest = await train({ evaluation, checkpoint: { folder: join(folder, 'stopped'), resume: true } });
    expect([...seen, ...rest.metrics]).toEqual(whole.metrics);
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.result).toEqual(whole.result);
  });

  test('resumes only with the same evaluation', async () => {
    await train({ steps: 2, evaluation, checkpoint: { folder } });
    const changes: [options: RewardModelTrainingOptions['evaluation'], message: string][] = [
      [{ ...evaluation, everySteps: 3 }, 'evaluation.everySteps was 2 and is now 3'],
      [{ ...evaluation, patience: 1 }, 'evaluation.patience was none and is now 1'],
      [{ ...evaluation, keepBest: false }, 'evaluation.keepBest was true and is now false'],
      [{ ...evaluation, metric: 'eval_accuracy' }, 'evaluation.metric was "eval_loss" and is now "eval_accuracy"'],
      [{ ...evaluation, share: 0.2 }, 'evaluation.pairs was "'],
    ];
    for (const [changed, message] of changes) {
      const resumed = train({ evaluation: changed!, checkpoint: { folder, resume: true } });
      await expect(resumed, message).rejects.toThrow(StateMismatchError);
      await expect(resumed, message).rejects.toThrow(message);
    }
  });
});

test('pairs that do not fit are counted in a warning, and none that fit is an error', async () => {
  const events: WorkEvent[] = [];
  const long = { ...pairs[0]!, prompt: 'another', chosen: 'yes '.repeat(60) };
  const { result } = await train({ steps: 1, onEvent: (event) => events.push(event) }, [...pairs, long]);
  expect(result).toMatchObject({ pairs: 20, tooLong: 1 });
  expect(events).toContainEqual({
    ...{ type: 'work-warning', task: 'rm', code: 'pairs-too-long' },
    message: '20 of 21 pairs (95.2 %) fit in 48 tokens; the others are left out',
  });
  await expect(train({ maxLength: 2 })).rejects.toThrow(InputError);
  await expect(train({ evaluation: { pairs: [long] } })).rejects.toThrow(
    'all 1 pairs held out have a row longer than 48 tokens',
  );
  await expect(train({ evaluation: { pairs: [] } })).rejects.toThrow(InputError);
});

test('options of the evaluation and margins are checked', async () => {
  const wrong: [evaluation: unknown, message: string][] = [
    [{}, 'evaluation needs either pairs or share'],
    [{ pairs, share: 0.5 }, 'evaluation needs either pairs or share'],
    [{ share: 2 }, 'share must be > 0 and < 1, got 2'],
    [{ share: 0.5, every: 3 }, 'evaluation has no option "every"'],
    [{ share: 0.5, everySteps: 0 }, 'evaluation.everySteps must be'],
    [{ share: 0.5, patience: 0 }, 'evaluation.patience must be'],
    [{ share: 0.5, metric: 'loss' }, "evaluation.metric must be 'eval_loss' or 'eval_accuracy', got \"loss\""],
    [{ share: 0.5, keepBest: 1 }, 'evaluation.keepBest must be true or false, got 1'],
    [0.2, 'evaluation must be an object of options, got a number'],
    [{ pairs: 'all' }, 'evaluation needs an array of pairs, got a string'],
  ];
  for (const [evaluation, message] of wrong) {
    await expect(train({ evaluation: evaluation as never }), message).rejects.toThrow(InvalidArgumentError);
    await expect(train({ evaluation: evaluation as never }), message).rejects.toThrow(message);
  }
  const margin = Number.NaN;
  await expect(train({}, [pairs[1]!, { ...pairs[0]!, margin }])).rejects.toThrow(
    'the margin of pair 1 must be a finite',
  );
  await expect(train({ microBatchSize: 0 })).rejects.toThrow('microBatchSize must be');
});

test('the interval of an accuracy is that of Wilson', () => {
  // The formula in Python's floats.
  const [low, high] = wilsonInterval(238 / 423, 423);
  expect(low).toBeCloseTo(0.515021, 4);
  expect(high).toBeCloseTo(0.609147, 4);
  expect(wilsonInterval(0, 10)[0]).toBe(0);
  expect(wilsonInterval(1, 10)[1]).toBeCloseTo(1, 12);
});
