import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { counterRandom, type Sampler, StateMismatchError, TrainingError } from '@rarefy/core';
import { activate, initialWeights, languageModel } from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import { trainBytePairTokenizer } from '@rarefy/tokenizers';
import type { StepMetrics } from '@rarefy/training';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { grpoLoader, type LoaderOptions } from './loader/grpo-loader.js';
import { grpoLoss } from './losses/policy-losses.js';
import type { Completion } from './rollout/rollout.js';
import { trainGrpo } from './trainer.js';
import { focalDifficulty } from './treatments/diversity-treatments.js';

const prompts = ['one two', 'two three', 'three', 'four five six', 'seven', 'eight nine'].map((prompt) => ({ prompt }));
const tokenizer = trainBytePairTokenizer(
  prompts.map(({ prompt }) => prompt),
  { vocabularySize: 300 },
);
const config = {
  model_type: 'llama',
  vocab_size: tokenizer.vocabularySize,
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 24,
  max_position_embeddings: 48,
  tie_word_embeddings: true,
};

/** Draws positions with the counter generator: the position of draw n is a function of n. */
function plainSampler(): Sampler & { drawn: number[] } {
  let next = 0;
  const random = counterRandom(5);
  const drawn: number[] = [];
  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint: 'plain',
    capabilities: { replacement: true, finite: false, adaptive: false },
    drawn,
    draw(count) {
      const first = next;
      next += count;
      const positions = Int32Array.from({ length: count }, (_, index) =>
        Math.floor(random.uniform(first + index) * prompts.length),
      );
      drawn.push(...positions);
      return { positions, first };
    },
    state: () => ({ version: 1, fingerprint: 'plain', payload: next }),
    restore: (state) => {
      next = state.payload as number;
    },
  };
}

/** Share of the tokens of a completion in the lower half of the vocabulary. */
const lowIds = (completions: readonly Completion[]) =>
  Float64Array.from(completions, ({ ids }) => ids.filter((id) => id < 150).length / ids.length);

let folder: string;
beforeAll(() => activate('cpu'));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-trainer-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** One run: its metrics without times, its final weights, and the completions that its reward function received. */
async function run(
  options: Partial<Parameters<typeof trainGrpo>[2]> = {},
  { data = prompts, ...drawing }: Partial<LoaderOptions> & { data?: typeof prompts } = {},
) {
  const model = languageModel(config, initialWeights(config, 1));
  const metrics: StepMetrics[] = [];
  const seen: (readonly Completion[])[] = [];
  const sampler = plainSampler();
  const loader = grpoLoader(data, { sampler, batchSize: 2, groupSize: 3, ...drawing });
  const reward = (completions: readonly Completion[]) => {
    seen.push(completions);
    return lowIds(completions);
  };
  try {
    const result = await trainGrpo({ model, tokenizer, config }, loader, {
      rewards: [{ name: 'short', reward }],
      seed: 3,
      steps: 6,
      learningRate: 0.01,
      maxCompletionLength: 8,
      onStep: (_, { step_time, ...values }) => metrics.push(values),
      ...options,
    });
    const weights = Object.values(model.parameters).map((variable) => [...variable.dataSync()]);
    return { ...result, metrics, weights, seen, sampler };
  } finally {
    model.dispose();
  }
}

test('the sampler decides the prompts of each step, and groups are complete', async () => {
  const { seen, sampler, drawCounts, metrics } = await run();
  expect(seen.map((completions) => completions.map(({ position }) => position))).toEqual(
    Array.from({ length: 6 }, (_, step) =>
      sampler.drawn.slice(2 * step, 2 * step + 2).flatMap((position) => [position, position, position]),
    ),
  );
  expect(drawCounts.reduce((sum, count) => sum + count)).toBe(12);
  expect(metrics).toHaveLength(6);
  for (const values of metrics) {
    for (const name of [
      'loss',
      'reward',
      'reward_std',
      'entropy',
      'clip_ratio/region_mean',
      'completions/mean_length',
      'grad_norm',
    ]) {
      expect(values[name], name).toSatisfy(Number.isFinite);
    }
  }
  expect(metrics[5]!['sampling/coverage']).toBe(new Set(sampler.drawn.slice(0, 12)).size / prompts.length);
});

test('several optimizer steps per batch: their metrics are means, and the later ones see clipping', async () => {
  const many = { learningRate: 0.05, loss: grpoLoss({ epsilon: 0.05 }) };
  const [one, two, parts] = await Promise.all([
    run({ ...many }),
    run({ ...many, numIterations: 3 }),
    run({ ...many, stepsPerGeneration: 2 }),
  ]);
  const clipped = ({ metrics }: typeof one) => metrics.map((values) => values['clip_ratio/region_mean']!);
  expect(Math.max(...clipped(one))).toBe(0); // the ratio is 1 by construction
  expect(Math.max(...clipped(two))).toBeGreaterThan(0);
  expect(Math.max(...clipped(parts))).toBeGreaterThan(0);
  for (const { metrics } of [one, two, parts]) {
    for (const values of metrics) {
      expect(values['clip_ratio/high_max']).toBeGreaterThanOrEqual(values['clip_ratio/high_mean']!);
      expect(values['clip_ratio/low_min']).toBeLessThanOrEqual(values['clip_ratio/low_mean']!);
    }
  }
  expect(parts.weights).not.toEqual(one.weights);
});

test('truncated completions can be left out of the loss', async () => {
  const { metrics, weights } = await run({
    maskTruncatedCompletions: true,
    maxCompletionLength: 1,
    steps: 2,
    weightDecay: 0,
  });
  expect(metrics[0]!['completions/clipped_ratio']).toBe(1);
  expect(metrics[0]!['completions/mean_terminated_length']).toBe(0);
  expect(metrics.map(({ loss }) => loss)).toEqual([0, 0]);
  const { weights: untrained } = await run({ steps: 0 });
  expect(weights).toEqual(untrained);
});

test('treatments change what is learned, and not the logged reward', async () => {
  const scaled = await run({ treatments: [focalDifficulty({ gamma: 1 })], steps: 2 });
  const plain = await run({ steps: 2 });
  expect(scaled.metrics[0]!.reward).toBe(plain.metrics[0]!.reward);
  expect(scaled.metrics[0]!.reward_std).toBe(plain.metrics[0]!.reward_std);
  expect(scaled.weights).not.toEqual(plain.weights);
  const mine = { name: 'mine', settings: {}, rewards: () => new Float64Array(6) };
  expect((await run({ treatments: [mine], steps: 1 })).metrics[0]!.frac_reward_zero_std).toBe(1);
  await expect(run({ treatments: [mine], multiObjectiveAggregation: 'normalize_then_sum' })).rejects.toThrow(
    "the treatment 'mine' changes the sum of the rewards",
  );
  await expect(run({ treatments: [focalDifficulty as never] })).rejects.toThrow('call the function that makes one');
});

test('rewards of other scale weigh the same if each is normalized, and a missing reward counts for nothing', async () => {
  const large = (completions: readonly Completion[]) => lowIds(completions).map((value) => 1000 * value);
  const odd = (completions: readonly Completion[]) =>
    Array.from(completions, (_, row) => (row % 3 === 0 ? null : row % 3));
  const both = (scale: typeof lowIds) => [
    { name: 'short', reward: scale },
    { name: 'odd', reward: odd },
  ];
  const options = { multiObjectiveAggregation: 'normalize_then_sum', steps: 1 } as const;
  const [small, big] = [
    await run({ ...options, rewards: both(lowIds) }),
    await run({ ...options, rewards: both(large) }),
  ];
  expect(big.metrics[0]!.grad_norm).toBeCloseTo(small.metrics[0]!.grad_norm!, 2);
  expect(small.metrics[0]!['rewards/odd/mean']).toBe(1.5);
  const { metrics } = await run({ rewards: [{ name: 'none', reward: () => new Array(6).fill(null) }], steps: 1 });
  expect(metrics[0]).toMatchObject({ reward: Number.NaN, loss: 0 });
});

test('the adaptive entropy bonus survives a resume', async () => {
  const loss = grpoLoss({ adaptiveEntropy: { target: 100, delta: 0.01 } });
  const whole = await run({ loss });
  expect(whole.metrics.map(({ entropy_coef }) => entropy_coef?.toFixed(2))).toEqual([
    '0.01',
    '0.02',
    '0.03',
    '0.04',
    '0.05',
    '0.06',
  ]);
  await run({ loss, steps: 3, checkpoint: { folder } });
  const rest = await run({ loss, checkpoint: { folder, resume: true } });
  expect(rest.metrics).toEqual(whole.metrics.slice(3));
  expect(rest.weights).toEqual(whole.weights);
});

test('the reward rises', async () => {
  const { metrics } = await run({ steps: 25, learningRate: 0.03 });
  const mean = (part: StepMetrics[]) => part.reduce((sum, values) => sum + values.reward!, 0) / part.length;
  expect(mean(metrics.slice(-5))).toBeGreaterThan(mean(metrics.slice(0, 5)) + 0.2);
});

test('a run aborted in the middle of a step and resumed equals an uninterrupted run', async () => {
  const whole = await run();
  const controller = new AbortController();
  const stop = async (completions: readonly Completion[]) => {
    if (++calls === 4) controller.abort(new Error('stop'));
    return lowIds(completions);
  };
  let calls = 0;
  const checkpoint = { folder, saveSteps: 100 };
  const first = run({ checkpoint, signal: controller.signal, rewards: [{ name: 'short', reward: stop }] });
  await expect(first).rejects.toThrow('stop');
  const rest = await run({ checkpoint: { ...checkpoint, resume: true } });
  expect(rest.metrics).toEqual(whole.metrics.slice(-rest.metrics.length));
  expect(rest.metrics.length).toBeLessThan(6);
  expect(rest.weights).toEqual(whole.weights);
  expect(rest.drawCounts).toEqual(whole.drawCounts);
});

test('micro-batches give the same step except for rounding', async () => {
  const whole = await run({ steps: 1 });
  const parts = await run({ steps: 1, microBatchSize: 4 });
  for (const [name, value] of Object.entries(whole.metrics[0]!)) {
    if (Number.isFinite(value)) expect(parts.metrics[0]![name], name).toBeCloseTo(value, 4);
  }
});

test('later optimizer steps on one batch clip, and a reference policy gives a kl', async () => {
  const reference = languageModel(config, initialWeights(config, 2));
  const { metrics } = await run({
    steps: 2,
    numIterations: 3,
    learningRate: 0.1,
    reference,
    loss: grpoLoss({ beta: 0.1 }),
  });
  expect(metrics[1]!.kl).toBeGreaterThan(0);
  reference.dispose();
});

test('a resumed run with refills and importance weights equals an uninterrupted run', async () => {
  // For half of the prompts all rewards are equal.
  const reward = (completions: readonly Completion[]) =>
    lowIds(completions).map((share, row) => (completions[row]!.position % 2 === 0 ? 1 : share));
  const options = { rewards: [{ name: 'half', reward }], maxRefills: 2, steps: 5 };
  const drawing = () => ({
    sampler: weightedSampler([1, 2, 3, 1, 2, 3], { seed: 2 }),
    importance: 'full' as const,
  });
  const whole = await run(options, drawing());
  expect(whole.metrics.some((values) => values['sampling/refills']! > 0)).toBe(true);
  expect(whole.metrics.every((values) => values['sampling/repeat_rate']! >= 0)).toBe(true);
  await run({ ...options, steps: 3, checkpoint: { folder, saveSteps: 3 } }, drawing());
  const rest = await run({ ...options, checkpoint: { folder, resume: true } }, drawing());
  expect(rest.metrics).toEqual(whole.metrics.slice(3));
  expect(rest.weights).toEqual(whole.weights);
});

test('a resumed run whose weights and prompts change between steps equals an uninterrupted run, even after an abort', async () => {
  /** A run that changes weights after every step, and has a seventh prompt from step 2. */
  const changing = (options: Partial<Parameters<typeof trainGrpo>[2]>, grown = false) => {
    const data = prompts.slice();
    if (grown) data.push({ prompt: 'late' });
    const sampler = weightedSampler([1, 2, 3, 1, 2, 3], { seed: 2 });
    const metrics: StepMetrics[] = [];
    const onStep = (step: number, { step_time, ...values }: StepMetrics) => {
      metrics.push(values);
      if (step === 2 && !grown) data.push({ prompt: 'late' });
      if (step === 2) sampler.add({ version: 2, weights: Float64Array.of(20) });
      else sampler.update({ version: step, positions: Int32Array.of(step % 6), weights: Float64Array.of(step) });
    };
    return run({ ...options, onStep }, { sampler, data }).then((result) => ({ ...result, metrics }));
  };
  const whole = await changing({ steps: 6 });
  expect(whole.drawCounts).toHaveLength(7);
  expect(whole.drawCounts.reduce((sum, count) => sum + count)).toBe(12);
  expect(whole.drawCounts[6]).toBeGreaterThan(0);

  await changing({ steps: 3, checkpoint: { folder } });
  const controller = new AbortController();
  let calls = 0;
  const stop = async (completions: readonly Completion[]) => {
    if (++calls === 2) controller.abort(new Error('stop'));
    return lowIds(completions);
  };
  const checkpoint = { folder, resume: true };
  const cut = changing(
    { steps: 6, checkpoint, signal: controller.signal, rewards: [{ name: 'short', reward: stop }] },
    true,
  );
  await expect(cut).rejects.toThrow('stop');
  const rest = await changing({ steps: 6, checkpoint }, true);
  expect(rest.metrics.length).toBeGreaterThan(0);
  expect(rest.metrics).toEqual(whole.metrics.slice(-rest.metrics.length));
  expect(rest.weights).toEqual(whole.weights);
  expect(rest.drawCounts).toEqual(whole.drawCounts);
});

test('no step leaks a tensor', async () => {
  const counts: number[] = [];
  await run({ onStep: () => counts.push(tf.memory().numTensors) });
  expect(new Set(counts).size).toBe(1);
});

test('a resume with other settings, and a reward that is not finite, are refused', async () => {
  await run({ steps: 1, checkpoint: { folder } });
  await expect(run({ checkpoint: { folder, resume: true }, seed: 4 })).rejects.toThrow(StateMismatchError);
  const reward = () => new Float64Array(6).fill(Number.NaN);
  await expect(run({ rewards: [{ name: 'bad', reward }] })).rejects.toThrow(TrainingError);
});

test('a damaged checkpoint is refused, naming the file', async () => {
  await run({ steps: 1, checkpoint: { folder } });
  const path = join(folder, 'checkpoints', 'step-000001', 'model.safetensors');
  const bytes = await readFile(path);
  bytes[bytes.length - 5]! ^= 1;
  await writeFile(path, bytes);
  await expect(run({ checkpoint: { folder, resume: true } })).rejects.toThrow(/model\.safetensors is damaged/);
});
