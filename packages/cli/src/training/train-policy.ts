import { type CallOptions, InputError } from '@rarefy/core';
import { readPairs, uniquePrompts } from '@rarefy/data';
import { rarestPositions } from '@rarefy/density';
import {
  dapoLoss,
  drawShare,
  grpoLoader,
  grpoLoss,
  lengthReward,
  type NamedReward,
  rewardModelReward,
  trainGrpo,
} from '@rarefy/grpo';
import { loadLanguageModel, rewardModel, saveLanguageModel } from '@rarefy/lm';
import { uniformSampler, weightedSampler } from '@rarefy/samplers';
import { checkpointFolder } from '../models/checkpoint-folder.js';
import { densityWeights } from './density-weights.js';
import { modelFolder, openBackend, openModel } from './open-model.js';
import { openRun } from './open-run.js';
import { type WeightingValues, weightingOf } from './weighting-options.js';

export interface TrainPolicyOptions extends WeightingValues {
  readonly pairs: string;
  readonly out: string;
  readonly model: string | undefined;
  readonly maxSteps: number;
  readonly seed: number;
  readonly saveSteps: number;
  readonly resume: boolean;
  readonly backend: string | undefined;
  readonly densityAware: boolean;
  readonly reward: 'model' | 'length';
  readonly rewardModel: string;
  readonly rewardWords: number;
  readonly batchSize: number;
  readonly groupSize: number;
  readonly microBatchSize: number;
  readonly learningRate: number;
  readonly importance: number;
  readonly maxRefills: number;
  readonly loss: 'dapo' | 'grpo';
  readonly beta: number;
  readonly temperature: number;
  readonly maxCompletionLength: number | undefined;
}

/** pairs → prompts → densities → weights → sampler → loader → GRPO. Returns, as a text, what share of draws went to the rarest. */
export async function trainPolicy(values: TrainPolicyOptions, options: CallOptions): Promise<{ rareShare: string }> {
  const { out, resume, saveSteps, seed, batchSize, groupSize, beta } = values;
  const folder = await modelFolder(values.model);
  const backend = await openBackend(values.backend, options);
  const policy = await openModel(folder, options);
  const { maxPositions } = policy.model.description;
  const { maxCompletionLength = Math.min(256, Math.floor(maxPositions / 4)) } = values;
  const prompts = await uniquePrompts(readPairs(values.pairs, options));
  const rewards = await openRewards(values);
  const run = await openRun({
    ...options,
    out,
    resume,
    saveSteps,
    backend,
    stage: 'grpo',
    options: { ...values, model: policy.folder },
    shown: ['reward', 'reward_std', 'loss', 'completions/mean_length', 'sampling/coverage'],
  });
  const reference = beta > 0 ? (await loadLanguageModel(policy.folder)).model : undefined;
  try {
    const { k, densityAware } = values;
    const weighed = await densityWeights(prompts, policy, {
      ...options,
      folder: out,
      resume,
      k,
      weighting: await weightingOf(values),
    });
    const sampler = densityAware
      ? weightedSampler(weighed.weights, { seed })
      : uniformSampler(prompts.length, { seed });
    const loader = grpoLoader(prompts, { sampler, batchSize, groupSize, importance: { beta: values.importance } });
    const { drawCounts } = await trainGrpo(policy, loader, {
      ...options,
      ...run,
      rewards,
      seed,
      maxCompletionLength,
      steps: values.maxSteps,
      learningRate: values.learningRate,
      maxRefills: values.maxRefills,
      weightDecay: 0,
      maxGradNorm: 1,
      temperature: values.temperature,
      microBatchSize: values.microBatchSize,
      densities: weighed.densities,
      loss: (values.loss === 'dapo' ? dapoLoss : grpoLoss)({ beta }),
      ...(reference ? { reference } : {}),
    });
    await saveLanguageModel(out, policy);
    const share = drawShare(drawCounts, rarestPositions(weighed.densities, 0.1));
    return { rareShare: `${(100 * share).toFixed(1)} % of the draws` };
  } finally {
    await run.close();
    reference?.dispose();
  }
}

async function openRewards({ reward, rewardModel: named, rewardWords }: TrainPolicyOptions): Promise<NamedReward[]> {
  if (reward === 'length') return [{ name: 'length', reward: lengthReward({ target: rewardWords }) }];
  const folder = await checkpointFolder(named);
  const { model, tokenizer, extra } = await loadLanguageModel(folder);
  if (extra.size === 0)
    throw new InputError(`${folder} holds no reward model (no score.weight); train one with: rarefy train rm`);
  return [{ name: 'reward_model', reward: rewardModelReward({ reward: rewardModel(model, extra), tokenizer }) }];
}
