import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPairs, uniquePrompts } from '@rarefy/data';
import { compose, inverseDensity, targetEss } from '@rarefy/density';
import { logitsEmbedder } from '@rarefy/embedders/causal-lm';
import { dapoLoss, grpoLoader, trainGrpo } from '@rarefy/grpo';
import { chooseBackend, loadLanguageModel } from '@rarefy/lm';
import { densityAwareSampler } from '@rarefy/samplers';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type StepReport, trainByHand } from './grpo-by-hand.js';

const sample = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const settings = {
  ...{ batchSize: 2, groupSize: 3, steps: 2, learningRate: 1e-3 },
  ...{ maxPromptLength: 16, maxCompletionLength: 24, seed: 4 },
};
/** Prefers completions with many spaces. */
const spaces = (completions: readonly { readonly text: string }[]) =>
  Float64Array.from(completions, ({ text }) => text.split(' ').length);

let prompts: string[];
let out: string;
beforeAll(async () => {
  await chooseBackend({ backend: 'wasm' });
  const records = await uniquePrompts(readPairs(sample('data/pairs.jsonl')));
  prompts = records.slice(0, 12).map(({ prompt }) => prompt);
  out = await mkdtemp(join(tmpdir(), 'rarefy-by-hand-'));
});
afterAll(() => rm(out, { recursive: true }));

test.each([1, 2])(
  'has the losses, rewards and weights of trainGrpo, with %d optimizer steps per batch',
  async (iterations) => {
    const mine = await loadLanguageModel(sample('models/tiny'));
    const steps: StepReport[] = [];
    const before = tf.memory().numTensors;
    await trainByHand(mine, prompts, spaces, { ...settings, iterations }, (report) => steps.push(report));
    expect(tf.memory().numTensors).toBe(before);

    const theirs = await loadLanguageModel(sample('models/tiny'));
    const sampler = await densityAwareSampler(prompts, {
      embedder: await logitsEmbedder(theirs),
      weighting: compose(inverseDensity(), targetEss(0.5)),
      seed: settings.seed,
    });
    const { batchSize, groupSize, ...shared } = settings;
    const loader = grpoLoader(
      prompts.map((prompt) => ({ prompt })),
      { sampler, batchSize, groupSize },
    );
    const expected: { loss: number; reward: number }[] = [];
    await trainGrpo(theirs, loader, {
      ...shared,
      ...{ numIterations: iterations, maxGradNorm: 1 },
      loss: dapoLoss({ epsilonHigh: 0.28 }),
      rewards: [{ name: 'spaces', reward: spaces }],
      onStep: (_, { loss, reward }) => expected.push({ loss: loss!, reward: reward! }),
    });

    expect(steps).toHaveLength(2);
    steps.forEach(({ loss, reward }, index) => {
      expect(loss).toBeCloseTo(expected[index]!.loss, 5);
      expect(reward).toBeCloseTo(expected[index]!.reward, 6);
    });
    expect(steps.some(({ loss }) => Math.abs(loss) > 1e-3)).toBe(true);
    for (const [name, parameter] of Object.entries(mine.model.parameters)) {
      const [values, others] = [parameter.dataSync<'float32'>(), theirs.model.parameters[name]!.dataSync<'float32'>()];
      const difference = values.reduce((most, value, index) => Math.max(most, Math.abs(value - others[index]!)), 0);
      expect(difference, name).toBeLessThan(1e-5);
    }
    mine.model.dispose();
    theirs.model.dispose();
  },
);
