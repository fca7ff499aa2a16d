import { join } from 'node:path';
import type { CallOptions, Sampler } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { drawShare, evaluatePolicy, grpoLoader, type NamedReward, trainGrpo } from '@rarefy/grpo';
import { writeJsonl } from '@rarefy/io';
import { type ChosenBackend, loadLanguageModel } from '@rarefy/lm';
import { runTraining } from './run-training.js';

export interface ArmOptions extends CallOptions {
  readonly name: string;
  readonly out: string;
  /** Folder of the model that every arm starts from. */
  readonly model: string;
  readonly backend: ChosenBackend;
  readonly sampler: Sampler;
  readonly rewards: readonly NamedReward[];
  readonly prompts: readonly PromptRecord[];
  readonly density: Float64Array;
  /** Positions of the 10 % rarest prompts. */
  readonly rarest: Int32Array;
  /** Prompts that no arm is trained on. */
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
  /** Mean reward, distinct words over words, and em-dashes of the answers to held-out prompts after training. */
  readonly rewardMean: number;
  readonly vocabularyRatio: number;
  readonly emDashPer1000Words: number;
}

const lengths = { maxPromptLength: 96, maxCompletionLength: 48 };

/** Trains one policy and lets it answer the held-out prompts. The arms differ only in their sampler. */
export async function runArm(arm: ArmOptions): Promise<ArmReport> {
  const { name, out, backend, sampler, rewards, prompts, density, maxSteps, seed, signal, onEvent } = arm;
  return runTraining(
    {
      stage: name,
      values: { out, resume: false, saveSteps: 10, backend: undefined },
      backend,
      shown: ['reward', 'sampling/coverage'],
      async open() {
        const loaded = await loadLanguageModel(arm.model);
        const settings = { sampler: sampler.fingerprint, steps: maxSteps, seed };
        return { loaded, settings, dispose: () => loaded.model.dispose() };
      },
      async task({ loaded }, trainer) {
        const loader = grpoLoader(prompts, { sampler, batchSize: 12, groupSize: 4 });
        const { drawCounts } = await trainGrpo(loaded, loader, {
          ...trainer,
          ...lengths,
          rewards,
          seed,
          densities: density,
          task: name,
          steps: maxSteps,
          learningRate: 1e-4,
          maxGradNorm: 1,
        });
        const evaluation = { signal, onEvent, ...lengths, rewards, batchSize: 64, groupSize: 2, seed };
        const { completions, scores: _, ...figures } = await evaluatePolicy(loaded, arm.evaluation, evaluation);
        const answers = completions.map(({ prompt, text, terminated }) => ({ prompt, text, terminated }));
        await writeJsonl(join(out, 'completions.jsonl'), answers, { signal, onEvent });
        return {
          rareShare: drawShare(drawCounts, arm.rarest),
          coverage: drawCounts.filter((count) => count > 0).length / drawCounts.length,
          ...figures,
        };
      },
    },
    { signal, onEvent },
  );
}
