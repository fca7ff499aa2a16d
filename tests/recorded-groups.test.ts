import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Pair, readPairs } from '@rarefy/data';
import { compose, inverseDensity, targetEss } from '@rarefy/density';
import { logitsEmbedder } from '@rarefy/embedders/causal-lm';
import {
  completionLogProbabilities,
  type GrpoTrainingOptions,
  grpoLoader,
  policyLosses,
  type RecordedGroups,
  type RecordedPrompt,
  recordedGroups,
  recordedPairs,
  recordedReward,
  trainGrpo,
} from '@rarefy/grpo';
import { readSafetensors, toFloat32 } from '@rarefy/io';
import { loadLanguageModel, padRight, type SavedModel, snapshot } from '@rarefy/lm';
import { densityAwareSampler, weightedSampler } from '@rarefy/samplers';
import { type ChatFormat, type ChatPrompt, chatFormat, trainBytePairTokenizer } from '@rarefy/tokenizers';
import type { StepMetrics } from '@rarefy/training';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeOnBackends } from './support/backends.js';
import { goldenJsonOf, goldenModel } from './support/golden.js';

const examples = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'rarefy-recorded-'))));
afterEach(() => rm(folder, { recursive: true }));

/** Draws positions 0, 1, … again and again. */
const inOrder = (size: number) => {
  const sampler = weightedSampler(new Array(size).fill(1), { seed: 1 });
  let first = 0;
  return {
    ...sampler,
    draw(count: number) {
      const positions = Int32Array.from({ length: count }, (_, index) => (first + index) % size);
      first += count;
      return { positions, first: first - count };
    },
  };
};

describeOnBackends('recorded answers against the code of TRL', () => {
  const golden = goldenJsonOf('trl/recorded-groups.json');
  const text = (ids: readonly number[]) => ids.join(' ');
  const ids = (given: ChatPrompt) => Int32Array.from((given as string).split(' '), Number);
  /** Reads token ids written as text. */
  const format: ChatFormat = {
    ...{ name: 'ids', stopId: 2 },
    prompt: (prompt) => ({ ids: prompt === '' ? new Int32Array(1) : ids(prompt), truncated: false }),
    conversation: (prompt, answer) => ({
      ids: Int32Array.of(...ids(prompt), ...ids(answer)),
      answerStart: ids(prompt).length,
      truncated: false,
    }),
  };

  test.each(['dapo', 'grpo', 'kl', 'sync'])('%s: loss, gradient norm and KL of five steps', async (name) => {
    const { loss_type: type, beta, sync_steps: syncSteps, steps, reference_norm: norm } = golden.cases[name];
    const model = await goldenModel('llama');
    using reference = snapshot(model);
    const pairs = golden.pairs.map((pair: Record<string, number[]>) =>
      Object.fromEntries(Object.entries(pair).map(([key, values]) => [key, text(values)])),
    );
    const groups = recordedGroups(recordedPairs(pairs));
    const loader = grpoLoader(groups.prompts, { sampler: inOrder(4), batchSize: 4, groupSize: 2 });
    const metrics: StepMetrics[] = [];
    const tokenizer = trainBytePairTokenizer(['a'], { vocabularySize: 320 });
    const config = goldenJsonOf('llama/config.json');
    await trainGrpo({ model, tokenizer, config }, loader, {
      ...{ rewards: [recordedReward()], rollouts: groups.rollouts, format, seed: 1, steps: steps.length },
      ...{ loss: policyLosses[type as 'dapo' | 'grpo']({ beta }), learningRate: golden.learning_rate },
      ...(beta > 0 && { reference }),
      ...(syncSteps && { syncRefModel: { syncSteps }, checkpoint: { folder } }),
      onStep: (_, values) => metrics.push(values),
    });
    model.dispose();
    for (const [index, expected] of steps.entries()) {
      const actual = metrics[index]!;
      expect(Math.abs(actual.loss! - expected.loss), `loss of step ${index + 1}`).toBeLessThan(1e-5);
      expect(Math.abs(actual.grad_norm! / expected.grad_norm - 1), `norm of step ${index + 1}`).toBeLessThan(1e-3);
      if (beta > 0) expect(Math.abs(actual.kl! - expected.kl)).toBeLessThan(1e-4);
      expect(actual['clip_ratio/region_mean']).toBe(0); // the ratio is 1
      expect(actual.reward).toBe(0.5);
    }
    if (!syncSteps) return;
    const path = join(folder, 'checkpoints', 'step-000005', 'reference.safetensors');
    const saved = toFloat32((await readSafetensors(path)).tensors.get('model.norm.weight')!);
    for (const [index, value] of saved.entries()) expect(Math.abs(value - norm[index])).toBeLessThan(1e-5);
  });
});

describeOnBackends('GRPO on the answers of the sample pairs', () => {
  const size = 24;
  let policy: Omit<SavedModel, 'extra'> & Awaited<ReturnType<typeof loadLanguageModel>>;
  let groups: RecordedGroups<RecordedPrompt>;

  beforeEach(async () => {
    policy = await loadLanguageModel(examples('models/tiny'));
    const format = chatFormat(policy.tokenizer);
    const pairs: Pair[] = [];
    for await (const pair of readPairs(examples('data/pairs.jsonl'))) {
      const lengths = [pair.chosen, pair.rejected].map((answer) => format.conversation(pair.prompt, answer).ids.length);
      if (Math.max(...lengths) <= 96) pairs.push(pair);
      if (pairs.length === size) break;
    }
    groups = recordedGroups(recordedPairs(pairs));
  });
  afterEach(() => policy.model.dispose());

  /** Mean over the groups of the log-probability of the better answer minus that of the worse one, per token. */
  function margin(): number {
    const format = chatFormat(policy.tokenizer);
    const rows = groups.prompts.flatMap(({ prompt, answers }) =>
      [...answers]
        .sort((a, b) => b.score - a.score)
        .map(({ text }) => {
          const { ids, answerStart } = format.conversation(prompt, text);
          return { prompt: ids.slice(0, answerStart), answer: ids.slice(answerStart) };
        }),
    );
    const means = rows.map(({ prompt, answer }) => {
      const [prompts, answers] = [padRight([prompt]), padRight([answer])];
      const batch = { promptIds: prompts.ids, promptMask: prompts.mask };
      const values = completionLogProbabilities(policy.model, {
        ...batch,
        ...{ completionIds: answers.ids, completionMask: answers.mask },
      });
      const mean = values.mean().dataSync()[0]!;
      values.dispose();
      return mean;
    });
    const differences = groups.prompts.map((_, index) => means[2 * index]! - means[2 * index + 1]!);
    return differences.reduce((sum, value) => sum + value, 0) / differences.length;
  }

  async function train(options: Partial<GrpoTrainingOptions>) {
    const embedder = await logitsEmbedder(policy);
    const weighting = compose(inverseDensity(), targetEss(0.5));
    const items = groups.prompts.map((prompt, position) => ({ ...prompt, id: String(position) }));
    const sampler = await densityAwareSampler(items as { id: string; prompt: string }[], {
      embedder,
      weighting,
      seed: 7,
    });
    const metrics: StepMetrics[] = [];
    const loader = grpoLoader(groups.prompts, { sampler, batchSize: 4, groupSize: 2 });
    const { drawCounts } = await trainGrpo(policy, loader, {
      ...{ rewards: [recordedReward()], rollouts: groups.rollouts, seed: 7, steps: 12, learningRate: 3e-4 },
      ...{ maxPromptLength: 96, maxCompletionLength: 96, densities: sampler.density },
      onStep: (_, { step_time, ...values }) => metrics.push(values),
      ...options,
    });
    return { metrics, drawCounts };
  }

  test('the margin of chosen over rejected answers rises', { timeout: 120_000 }, async () => {
    const before = margin();
    const { metrics, drawCounts } = await train({});
    expect(margin()).toBeGreaterThan(before + 0.5);
    expect(metrics.every((values) => values['completions/clipped_ratio'] === 0)).toBe(true);
    expect(metrics.every((values) => values.reward === 0.5 && values.frac_reward_zero_std === 0)).toBe(true);
    expect(metrics.every((values) => Number.isFinite(values['sampling/density_mean']!))).toBe(true);
    expect(drawCounts.reduce((sum, count) => sum + count)).toBe(48);
  });

  test('a run that is stopped and resumed equals an uninterrupted one, also with a reference that follows', {
    timeout: 120_000,
  }, async () => {
    const weights = async (run: string) => {
      const [newest] = (await readdir(join(folder, run, 'checkpoints'))).sort().reverse();
      const files = ['model.safetensors', 'reference.safetensors', 'optimizer.safetensors'];
      const read = files.map((file) => readFile(join(folder, run, 'checkpoints', newest!, file)));
      return (await Promise.all(read)).map((bytes) => bytes.toString('base64'));
    };
    const start = await loadLanguageModel(examples('models/tiny'));
    const options = (run: string, resume = false) => ({
      ...{ steps: 5, syncRefModel: { mixupAlpha: 0.6, syncSteps: 4 }, numIterations: 2, reference: start.model },
      ...{ loss: policyLosses.dapo({ beta: 0.1 }), checkpoint: { folder: join(folder, run), saveSteps: 100, resume } },
    });
    const whole = await train(options('whole'));
    const fresh = async () => {
      policy.model.dispose();
      policy = await loadLanguageModel(examples('models/tiny'));
    };
    await fresh();
    const controller = new AbortController();
    const cut = train({
      ...options('cut'),
      signal: controller.signal,
      onStep: (step) => step === 3 && controller.abort(new Error('stop')),
    });
    await expect(cut).rejects.toThrow('stop');
    await fresh();
    const rest = await train(options('cut', true));
    expect(rest.metrics).toEqual(whole.metrics.slice(-rest.metrics.length));
    expect(rest.metrics.length).toBeGreaterThanOrEqual(2);
    expect(await weights('cut')).toEqual(await weights('whole'));
    start.model.dispose();
  });
});
