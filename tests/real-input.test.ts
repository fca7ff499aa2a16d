import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPrompts } from '@rarefy/data';
import { rarestPositions } from '@rarefy/density';
import { onnxEmbedder } from '@rarefy/embedders/onnx';
import { readEmbeddings, verifyEmbeddings } from '@rarefy/embeddings';
import { type Completion, grpoLoader, lengthReward, trainGrpo } from '@rarefy/grpo';
import { sha256File } from '@rarefy/io';
import { chooseBackend, loadLanguageModel } from '@rarefy/lm';
import { weightedSampler } from '@rarefy/samplers';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { casesOf } from './support/exhaustive.js';
import { miniLm, onnxReason, onnxRuntime } from './support/onnx-components.js';
import { rarefy, startRarefy } from './support/rarefy.js';

// Real preference pairs. They are not part of the repository, because their terms allow research use only.
const pairs = process.env.RAREFY_REAL_PAIRS ?? '';
const reason = existsSync(pairs) ? '' : ' (skipped: RAREFY_REAL_PAIRS names no file of real pairs)';
const tiny = fileURLToPath(new URL('../examples/models/tiny', import.meta.url));

interface Weight {
  readonly id: string;
  readonly density: number;
  readonly weight: number;
  readonly probability: number;
}

describe.skipIf(reason !== '')(`the main workflow on real pairs${reason}`, { timeout: 900_000 }, () => {
  let cwd: string;
  const lines = async <Line>(name: string): Promise<Line[]> =>
    (await readFile(join(cwd, name), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  beforeAll(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'rarefy-real-'));
  });
  afterAll(() => rm(cwd, { recursive: true }));

  test('prompts: every distinct prompt once, with the count of its pairs', async () => {
    const { code, stdout } = await rarefy(['prompts', '--pairs', pairs, '--out', 'prompts.jsonl'], { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain('4508 distinct prompts of 5325 pairs');
    const prompts = await lines<{ prompt: string; count: number }>('prompts.jsonl');
    expect(new Set(prompts.map(({ prompt }) => prompt)).size).toBe(4508);
    expect(prompts.reduce((sum, { count }) => sum + count, 0)).toBe(5325);
  });

  test('density: finite weights, probabilities that sum to 1, and a report', async () => {
    const args = ['--embedder', 'logits', '--ckpt', tiny, '--out', 'weights.jsonl'];
    const { code, stdout } = await rarefy(['density', '--prompts', 'prompts.jsonl', ...args], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/4508 +0\.\d+/);
    const weights = await lines<Weight>('weights.jsonl');
    expect(weights).toHaveLength(4508);
    for (const { density, weight } of weights)
      expect([density, weight].every((value) => value > 0 && value < Infinity)).toBe(true);
    expect(weights.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9);
  });

  test('20 steps of train rm, then 20 of train grpo --density-aware: finite losses, and rare prompts drawn as often as computed', async () => {
    const short = ['--max-steps', '20', '--pairs', pairs];
    const reward = await rarefy(['train', 'rm', ...short, '--model', tiny, '--out', 'rm', '--batch-size', '8'], {
      cwd,
    });
    expect(reward).toMatchObject({ code: 0 });
    const policy = await rarefy(
      [
        ...[
          'train',
          'grpo',
          ...short,
          '--model',
          tiny,
          '--reward-model',
          './rm',
          '--out',
          'grpo',
          '--density-aware',
          '--target-ess',
          '0.5',
        ],
        ...['--batch-size', '32', '--group-size', '2', '--max-completion-length', '24', '--save-steps', '20'],
      ],
      { cwd },
    );
    expect(policy).toMatchObject({ code: 0 });
    for (const run of ['rm', 'grpo']) {
      const metrics = await lines<Record<string, number>>(join(run, 'metrics.jsonl'));
      expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
      for (const { loss, grad_norm } of metrics) expect([loss, grad_norm].every(Number.isFinite)).toBe(true);
    }
    const weights = await lines<Weight>(join('grpo', 'weights.jsonl'));
    const rarest = rarestPositions(
      Float64Array.from(weights, ({ density }) => density),
      0.1,
    );
    const expected = rarest.reduce((sum, position) => sum + weights[position]!.probability, 0);
    const { state } = JSON.parse(
      await readFile(join(cwd, 'grpo', 'checkpoints', 'step-000020', 'trainer.json'), 'utf8'),
    );
    const counts = Buffer.from(state.task.counts, 'base64');
    const drawn = (position: number) => counts.readUInt32LE(4 * position);
    const draws = weights.reduce((sum, _, position) => sum + drawn(position), 0);
    expect(draws).toBe(20 * 32);
    const share = rarest.reduce((sum, position) => sum + drawn(position), 0) / draws;
    // Binomial: five standard deviations on either side; the false alarm rate is below 1e-6.
    const margin = 5 * Math.sqrt((expected * (1 - expected)) / draws);
    expect(expected - margin).toBeGreaterThan(0.1);
    expect(Math.abs(share - expected)).toBeLessThan(margin);
  });

  test('every step has complete groups and leaves no tensor behind', async () => {
    await chooseBackend();
    const policy = await loadLanguageModel(tiny);
    const prompts: { prompt: string }[] = [];
    for await (const prompt of readPrompts(join(cwd, 'prompts.jsonl'))) prompts.push(prompt);
    const weights = await lines<Weight>('weights.jsonl');
    const sampler = weightedSampler(
      weights.map(({ weight }) => weight),
      { seed: 2 },
    );
    const loader = grpoLoader(prompts, { sampler, batchSize: 4, groupSize: 4 });
    const score = lengthReward({ target: 20 });
    const tensors = new Set<number>();
    const reward = (completions: readonly Completion[]) => {
      expect(completions).toHaveLength(16);
      for (let row = 0; row < 16; row++) {
        expect(completions[row]!.position).toBe(completions[row - (row % 4)]!.position);
        expect(completions[row]!.prompt).toBe(prompts[completions[row]!.position]!.prompt);
      }
      return score(completions);
    };
    await trainGrpo(policy, loader, {
      rewards: [{ name: 'length', reward }],
      seed: 2,
      steps: 20,
      learningRate: 1e-4,
      maxCompletionLength: 16,
      onStep: (_, { loss }) => {
        expect(loss).toSatisfy(Number.isFinite);
        tensors.add(tf.memory().numTensors);
      },
    });
    expect(tensors.size).toBe(1);
    policy.model.dispose();
  });
});

/** All 4,508 in CI: with about 100 tokens each, they take more than a minute on two cores. */
const embedded = casesOf(300, 4508);

describe.skipIf(reason !== '' || onnxReason !== '')(`rarefy embed on real prompts${reason}${onnxReason}`, () => {
  test(`${embedded} of them with MiniLM: the model is found by default, ids are in order, the manifest is complete, each row belongs to its prompt`, {
    timeout: 900_000,
  }, async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'rarefy-real-embed-'));
    const env = { NODE_PATH: join(process.env.RAREFY_COMPONENTS ?? '', 'node_modules') };
    try {
      await rarefy(['prompts', '--pairs', pairs, '--out', 'prompts.jsonl'], { cwd });
      const args = ['embed', '--data', 'prompts.jsonl', '--out', 'e.safetensors', '--limit', String(embedded)];
      const { code, stdout, stderr } = await startRarefy(args, { cwd, env }).result;
      expect([code, stdout]).toEqual([0, `${embedded} x 384 embeddings in e.safetensors\n`]);
      expect(stderr).toContain(`embedder: onnx: ${miniLm} (found in RAREFY_MODELS)`);
      const prompts: { id: string; prompt: string }[] = [];
      for await (const prompt of readPrompts(join(cwd, 'prompts.jsonl'))) prompts.push(prompt);
      expect(prompts).toHaveLength(4508);
      prompts.length = embedded;
      const { ids, embeddings } = await readEmbeddings(join(cwd, 'e.safetensors'));
      expect(ids).toEqual(prompts.map(({ id }) => id));
      const manifest = await verifyEmbeddings(join(cwd, 'e.safetensors'));
      expect(manifest).toMatchObject({
        ...{ rows: embedded, dimensions: 384, dtype: 'float32', failed: [] },
        embedder: expect.stringMatching(/^onnx:fp32:mean:[0-9a-f]{64}$/),
        model: { embedder: 'onnx', path: miniLm, pooling: 'mean', dtype: 'fp32' },
        data: { path: 'prompts.jsonl', rows: embedded, fileSha256: await sha256File(join(cwd, 'prompts.jsonl')) },
        counts: { distinct: embedded, failed: 0 },
        versions: { node: process.versions.node, 'onnxruntime-node': '1.30.0' },
      });

      // Each row belongs to its own prompt: compare with every 200th prompt embedded alone.
      await using alone = await onnxEmbedder(miniLm, { lib: onnxRuntime });
      for (let row = 0; row < prompts.length; row += 200) {
        const { data } = (await alone.embedBatch([prompts[row]!.prompt])).embeddings;
        const there = embeddings.data.subarray(row * 384, (row + 1) * 384);
        expect(Math.max(...data.map((value, index) => Math.abs(value - there[index]!)))).toBeLessThan(1e-5);
      }
      const tooLong = alone.countTokens(prompts.map(({ prompt }) => prompt)).filter((tokens) => tokens === 256).length;
      expect(manifest.counts.truncated).toBeGreaterThan(0);
      expect(manifest.counts.truncated).toBeLessThanOrEqual(tooLong);
    } finally {
      await rm(cwd, { recursive: true });
    }
  });
});
