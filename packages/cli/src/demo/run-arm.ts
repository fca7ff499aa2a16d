import { join } from 'node:path';
import type { CallOptions, Sampler } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { drawShare, evaluatePolicy, grpoLoader, type NamedReward, trainGrpo } from '@rarefy/grpo';
import { writeJsonl } from '@rarefy/io';
import { type ChosenBackend, loadLanguageModel, saveLanguageModel } from '@rarefy/lm';
import { openRun } from '../training/open-run.js';

export interface ArmOptions extends CallOptions {
  readonly name: string;
  readonly out: string;
  /** Folder of the model that every arm starts from. */
  readonly tiny: string;
  readonly backend: ChosenBackend;
  readonly sampler: Sampler;
  readonly rewards: readonly NamedReward[];
  readonly prompts: readonly PromptRecord[];
  readonly densities: Float64Array;
  /** Positions of the 10 % rarest prompts. */
  readonly rarest: Int32Array;
  /** Prompts that were not trained on. */
  readonly evaluation: readonly string[];
  readonly maxSteps: number;
  readonly seed: number;
}

/** What one arm of the comparison did. */
export interface ArmReport {
  /** Share of the actual draws that went to the 10 % rarest prompts. */
  readonly rareShare: number;
  /** Share of prompts drawn at least once. */
  readonly coverage: number;
  /** Mean reward, distinct words over words, and em-dashes, of the answers to held-out prompts after training. */
  readonly rewardMean: number;
  readonly vocabularyRatio: number;
  readonly emDashPer1000Words: number;
}

const lengths = { maxPromptLength: 96, maxCompletionLength: 48 };

/** Trains one policy and lets it answer the held-out prompts; the arms differ in nothing but their sampler. */
export async function runArm(arm: ArmOptions): Promise<ArmReport> {
  const { name, out, backend, sampler, rewards, prompts, densities, maxSteps, seed, signal, onEvent } = arm;
  const options = { signal, onEvent };
  const policy = await loadLanguageModel(arm.tiny);
  const loader = grpoLoader(prompts, { sampler, batchSize: 12, groupSize: 4 });
  const run = await openRun({
    ...options,
    out,
    stage: name,
    resume: false,
    saveSteps: 10,
    backend,
    options: { sampler: sampler.fingerprint, steps: maxSteps, seed },
    shown: ['reward', 'sampling/coverage'],
  });
  try {
    const { drawCounts } = await trainGrpo(policy, loader, {
      ...options,
      ...run,
      ...lengths,
      rewards,
      seed,
      densities,
      task: name,
      steps: maxSteps,
      learningRate: 1e-4,
      weightDecay: 0,
      maxGradNorm: 1,
    });
    await saveLanguageModel(out, policy);
    const { completions, ...figures } = await evaluatePolicy(policy, arm.evaluation, {
      ...options,
      ...lengths,
      rewards,
      batchSize: 64,
      groupSize: 2,
      seed,
    });
    await writeJsonl(
      join(out, 'completions.jsonl'),
      completions.map(({ prompt, text, terminated }) => ({ prompt, text, terminated })),
      options,
    );
    return {
      rareShare: drawShare(drawCounts, arm.rarest),
      coverage: drawCounts.filter((count) => count > 0).length / drawCounts.length,
      ...figures,
    };
  } finally {
    await run.close();
    policy.model.dispose();
  }
}
