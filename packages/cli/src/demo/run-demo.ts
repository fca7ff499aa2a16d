import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, embed, InputError, type Sampler } from '@rarefy/core';
import { type Pair, type PromptRecord, readPairs, uniquePrompts } from '@rarefy/data';
import { compose, inverseDensity, rarestPositions, targetEss } from '@rarefy/density';
import { universalSentenceEncoder } from '@rarefy/embedders/use';
import { heldOutPositions, type NamedReward, rewardModelReward, trainRewardModel } from '@rarefy/grpo';
import { writeAtomically, writeJsonl } from '@rarefy/io';
import { loadLanguageModel, rewardModel, saveLanguageModel } from '@rarefy/lm';
import { uniformSampler, weightedSampler } from '@rarefy/samplers';
import { buildView, jsonExporter, pageExporter, umap } from '@rarefy/viz';
import { densityWeights } from '../training/density-weights.js';
import { openBackend } from '../training/open-model.js';
import { openRun } from '../training/open-run.js';
import { shippedPath } from '../training/shipped.js';
import { type DemoReport, markdownReport, reportTable } from './report.js';
import { type ArmReport, runArm } from './run-arm.js';

export interface DemoOptions {
  readonly pairs: string | undefined;
  readonly out: string;
  readonly maxSteps: number;
  readonly targetEss: number;
  readonly seed: number;
  readonly backend: string | undefined;
}

/** Prompts that no arm trains on and both arms answer in the end. */
const heldOut = 64;

/**
 * pairs → prompts → embeddings → neighbours → density → weights → sampler → loader → GRPO, with a uniform sampler and with a
 * density-aware one from the same start, and the prompt space as a page.
 */
export async function runDemo(values: DemoOptions, options: CallOptions): Promise<void> {
  const started = performance.now();
  const { out, maxSteps, seed } = values;
  const backend = await openBackend(values.backend, options);
  const file = values.pairs ?? (await shippedPath('data/pairs.jsonl'));
  const tiny = await shippedPath('models/tiny');
  await mkdir(out, { recursive: true });
  for (const name of ['reward-model', 'uniform', 'density-aware'])
    await rm(join(out, name), { recursive: true, force: true });

  const pairs: Pair[] = [];
  for await (const pair of readPairs(file, options)) pairs.push(pair);
  const prompts = await uniquePrompts(pairs);
  const aside = new Set(heldOutPositions(prompts.length, heldOut, seed));
  const training = prompts.filter((_, position) => !aside.has(position));
  const evaluation = prompts.filter((_, position) => aside.has(position)).map(({ prompt }) => prompt);
  if (training.length <= 10)
    throw new InputError(`${file} has ${prompts.length} distinct prompts; the demo needs more than ${heldOut + 10}`);
  await writeJsonl(join(out, 'prompts.jsonl'), training, options);

  const base = await loadLanguageModel(tiny);
  const weighting = compose(inverseDensity(), targetEss(values.targetEss));
  const { densities, weights, report } = await densityWeights(training, base, {
    ...options,
    folder: out,
    resume: false,
    k: 10,
    weighting,
  });
  base.model.dispose();

  const reward = await trainDemoReward(tiny, pairs, { ...values, backend }, options);
  const rewards: NamedReward[] = [{ name: 'reward_model', reward: rewardModelReward(reward) }];
  const rarest = rarestPositions(densities, 0.1);
  const arm = (name: string, sampler: Sampler): Promise<ArmReport> =>
    runArm({
      ...options,
      out: join(out, name),
      name,
      tiny,
      backend,
      sampler,
      rewards,
      prompts: training,
      densities,
      rarest,
      evaluation,
      maxSteps,
      seed,
    });
  const uniform = await arm('uniform', uniformSampler(training.length, { seed }));
  const densityAware = await arm('density-aware', weightedSampler(weights, { seed }));
  reward.reward.dispose();

  await showPromptSpace(out, training, seed, options);
  const result: DemoReport = {
    backend: backend.name,
    backendReason: backend.reason,
    pairs: pairs.length,
    prompts: prompts.length,
    heldOut: evaluation.length,
    steps: maxSteps,
    seconds: (performance.now() - started) / 1000,
    seed,
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

async function trainDemoReward(
  tiny: string,
  pairs: readonly Pair[],
  { out, seed, backend }: { out: string; seed: number; backend: Awaited<ReturnType<typeof openBackend>> },
  options: CallOptions,
) {
  const loaded = await loadLanguageModel(tiny);
  const reward = rewardModel(loaded.model);
  const folder = join(out, 'reward-model');
  const run = await openRun({
    ...options,
    out: folder,
    stage: 'reward model',
    resume: false,
    saveSteps: 100,
    backend,
    options: { model: tiny, pairs: pairs.length, seed },
    shown: ['loss', 'accuracy'],
  });
  await trainRewardModel(loaded, reward, pairs, {
    ...options,
    ...run,
    seed,
    task: 'reward model',
    steps: 24,
    batchSize: 16,
    learningRate: 3e-4,
    centerRewardsCoefficient: 0.01,
    maxGradNorm: 1,
  }).finally(run.close);
  await saveLanguageModel(folder, { ...loaded, extra: await reward.head() });
  return { reward, tokenizer: loaded.tokenizer };
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
