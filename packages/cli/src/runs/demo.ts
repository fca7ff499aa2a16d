import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, embed, InputError, type Sampler } from '@rarefy/core';
import { type Pair, type PromptRecord, readPairs, uniquePrompts, writeWeights } from '@rarefy/data';
import { compose, inverseDensity, rarestPositions, targetEss, weighPrompts } from '@rarefy/density';
import { logitsEmbedder } from '@rarefy/embedders/causal-lm';
import { universalSentenceEncoder } from '@rarefy/embedders/use';
import { heldOutPositions, rewardModelReward } from '@rarefy/grpo';
import { writeAtomically, writeJsonl } from '@rarefy/io';
import { type ChosenBackend, loadLanguageModel, rewardModel } from '@rarefy/lm';
import { uniformSampler, weightedSampler } from '@rarefy/samplers';
import { trainRewardModel } from '@rarefy/training';
import { buildView, jsonExporter, pageExporter, umap } from '@rarefy/viz';
import { openBackend } from '../open/backend.js';
import { shippedPath } from '../open/model.js';
import type { OptionValues } from '../shell/options.js';
import { runArm } from './demo-arm.js';
import type { demoOptions } from './demo-options.js';
import { type DemoReport, markdownReport, reportTable } from './demo-report.js';
import { runTraining } from './run-training.js';

/** Prompts that no arm trains on and both arms answer at the end. */
const heldOut = 64;

/**
 * pairs → prompts → embeddings → neighbors → density → weights → sampler → loader → GRPO, with a uniform sampler and with a
 * density-aware one from the same start, and the prompt space as a page.
 */
export async function runDemo(values: OptionValues<typeof demoOptions>, options: CallOptions): Promise<void> {
  const started = performance.now();
  const { out, maxSteps, seed } = values;
  const backend = await openBackend(values.backend, options);
  const file = values.pairs ?? (await shippedPath('data/pairs.jsonl'));
  const model = await shippedPath('models/tiny');
  await mkdir(out, { recursive: true });
  for (const name of ['reward-model', 'uniform', 'density-aware'])
    await rm(join(out, name), { recursive: true, force: true });

  const pairs: Pair[] = [];
  for await (const pair of readPairs(file, options)) pairs.push(pair);
  const all = await uniquePrompts(pairs);
  const aside = new Set(heldOutPositions(all.length, heldOut, seed));
  const prompts = all.filter((_, position) => !aside.has(position));
  const evaluation = all.filter((_, position) => aside.has(position)).map(({ prompt }) => prompt);
  if (prompts.length <= 10)
    throw new InputError(`${file} has ${all.length} distinct prompts; the demo needs more than ${heldOut + 10}.`);
  await writeJsonl(join(out, 'prompts.jsonl'), prompts, options);

  const { density, weights, report } = await weigh(model, prompts, values.targetEss, options);
  await writeWeights(
    join(out, 'weights.jsonl'),
    prompts.map(({ id }) => id),
    { density, weights },
    options,
  );

  const reward = await trainDemoReward(model, pairs, { out: join(out, 'reward-model'), seed, backend }, options);
  const arm = (name: string, sampler: Sampler) =>
    runArm({
      ...{ ...options, name, sampler, model, backend, prompts, density, evaluation, maxSteps, seed },
      out: join(out, name),
      rewards: [{ name: 'reward_model', reward: rewardModelReward(reward) }],
      rarest: rarestPositions(density, 0.1),
    });
  const uniform = await arm('uniform', uniformSampler(prompts.length, { seed }));
  const densityAware = await arm('density-aware', weightedSampler(weights, { seed }));
  reward.reward.dispose();

  await showPromptSpace(out, prompts, seed, options);
  const result: DemoReport = {
    ...{ backend: backend.name, backendReason: backend.reason, seed, steps: maxSteps },
    ...{ pairs: pairs.length, prompts: all.length, heldOut: evaluation.length },
    seconds: (performance.now() - started) / 1000,
    density: report,
    arms: { uniform, densityAware },
  };
  await writeAtomically(join(out, 'report.json'), Buffer.from(`${JSON.stringify(result, null, 2)}\n`));
  await writeAtomically(join(out, 'report.md'), Buffer.from(markdownReport(result)));
  console.log(`\n${reportTable(result)}\n`);
  console.log(`Report      ${join(out, 'report.md')}, ${join(out, 'report.json')}`);
  console.log(`Weights     ${join(out, 'weights.jsonl')}`);
  console.log(`Metrics     ${join(out, 'uniform', 'metrics.jsonl')}, ${join(out, 'density-aware', 'metrics.jsonl')}`);
  console.log(`Prompt map  ${join(out, 'view.html')} (open it in a browser)`);
}

/** Weights by the mean logits of a model, sharpened to an effective sample size. */
async function weigh(folder: string, prompts: readonly PromptRecord[], ess: number, options: CallOptions) {
  const loaded = await loadLanguageModel(folder);
  try {
    const embedder = await logitsEmbedder(loaded, options);
    const weighting = compose(inverseDensity(), targetEss(ess));
    const texts = prompts.map(({ prompt }) => prompt);
    return await weighPrompts(texts, { ...options, embedder, weighting });
  } finally {
    loaded.model.dispose();
  }
}

/** A reward model that stays open. */
async function trainDemoReward(
  model: string,
  pairs: readonly Pair[],
  { out, seed, backend }: { readonly out: string; readonly seed: number; readonly backend: ChosenBackend },
  options: CallOptions,
) {
  return runTraining(
    {
      stage: 'reward model',
      values: { out, resume: false, saveSteps: 100, backend: undefined },
      backend,
      shown: ['loss', 'accuracy'],
      async open() {
        const loaded = await loadLanguageModel(model);
        const reward = rewardModel(loaded.model);
        const settings = { model, pairs: pairs.length, seed };
        return { loaded, reward, extra: () => reward.head(), settings, dispose() {} };
      },
      async task({ loaded, reward }, trainer) {
        await trainRewardModel(loaded, reward, pairs, {
          ...trainer,
          seed,
          task: 'reward model',
          steps: 24,
          batchSize: 16,
          learningRate: 3e-4,
          centerRewardsCoefficient: 0.01,
          maxGradNorm: 1,
        });
        return { reward, tokenizer: loaded.tokenizer };
      },
    },
    options,
  );
}

async function showPromptSpace(
  out: string,
  prompts: readonly PromptRecord[],
  seed: number,
  options: CallOptions,
): Promise<void> {
  await using encoder = await universalSentenceEncoder();
  const texts = prompts.map(({ prompt }) => prompt);
  const embeddings = await embed(encoder, texts, { ...options, task: 'embed sentences' });
  const view = await buildView(prompts, embeddings, { ...options, projector: umap({ seed }) });
  for (const exporter of [jsonExporter(), pageExporter({ title: 'Rarefy demo' })]) {
    for await (const { path, bytes } of exporter.export(view, options))
      await writeAtomically(join(out, path), bytes, options);
  }
}
