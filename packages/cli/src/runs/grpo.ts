import type { CallOptions } from '@rarefy/core';
import type { ChatPrompt } from '@rarefy/lm';
import { adapterOptions } from '../open/adapter.js';
import { chatOptions } from '../open/chat-options.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { modelOption, outOption, runTraining, trainOptions } from './run-training.js';
import { openRunWeights, samplingOptions } from './run-weights.js';

export const grpoOptions = {
  ...trainOptions,
  ...outOption('grpo'),
  ...modelOption,
  ...adapterOptions,
  ...chatOptions,
  ...samplingOptions,
  ...under('Sampling', {
    sampler: {
      type: 'text',
      valueHint: 'file',
      description:
        'TypeScript or JavaScript file of a sampler: its exported function is called with (number of prompts, seed), or its fromWeights with (weights, seed) if the draws are density-aware. The file is run: use only code that you trust',
    },
    importance: {
      type: 'number',
      default: 0,
      min: 0,
      max: 1,
      description: 'Weight each draw in the loss by (uniform / its probability) ^ this: 0 not at all, 1 fully',
    },
    'max-refills': {
      type: 'integer',
      default: 0,
      min: 0,
      description: 'Additional batches per step, to replace groups whose rewards are all equal',
    },
  }),
  ...under('Training', {
    reward: {
      type: 'list',
      valueHint: 'name=path:weight',
      description:
        'Reward: model, length, or the path of a TypeScript or JavaScript file whose function scores completions; name and weight are optional. Rewards are added. Default model',
    },
    'reward-model': {
      type: 'text',
      valueHint: 'rm|path',
      default: 'rm',
      description: 'Reward model of --reward model',
    },
    'reward-words': {
      type: 'integer',
      default: 40,
      min: 1,
      description: 'Number of words that --reward length prefers',
    },
    'batch-size': { type: 'integer', default: 32, min: 1, description: 'Prompts per step' },
    'group-size': { type: 'integer', default: 8, min: 2, description: 'Completions per prompt' },
    'micro-batch-size': { type: 'integer', default: 64, min: 1, description: 'Completions per forward pass' },
    'learning-rate': { type: 'number', default: 1e-5, min: 0, description: 'Learning rate' },
    loss: { type: 'choice', choices: ['dapo', 'grpo'], default: 'dapo', description: 'Policy loss' },
    beta: { type: 'number', default: 0, min: 0, description: 'Weight of the KL divergence from the starting model' },
    temperature: { type: 'number', default: 1, min: 0.01, description: 'Temperature of the completions' },
    'max-completion-length': {
      type: 'integer',
      min: 1,
      description: 'Largest number of new tokens; default a quarter of the positions of the model, at most 256',
    },
  }),
} as const satisfies OptionDefinitions;

type GrpoValues = OptionValues<typeof grpoOptions>;

/**
 * Trains a policy: pairs → prompts → weights → sampler → loader → GRPO.
 * @returns the share of draws of the 10 % rarest prompts, if densities were measured
 */
export async function trainPolicy(
  values: GrpoValues,
  options: CallOptions,
  given: ReadonlySet<string>,
): Promise<{ readonly rareShare: number | undefined }> {
  const { dapoLoss, drawShare, grpoLoader, grpoLoss, trainGrpo } = await import('@rarefy/grpo');
  const { loadLanguageModel } = await import('@rarefy/lm');
  const { readPairs, transcriptMessages, uniquePrompts } = await import('@rarefy/data');
  const { rarestPositions } = await import('@rarefy/density');
  const { modelFolder, openModel } = await import('../open/model.js');
  const { trainedModel } = await import('../open/adapter.js');
  const { openRewards } = await import('../open/rewards.js');
  const { seed, batchSize, groupSize, beta, maxRefills, temperature, microBatchSize, learningRate } = values;
  return runTraining(
    {
      stage: 'grpo',
      values,
      shown: ['reward', 'reward_std', 'loss', 'completions/mean_length', 'sampling/coverage'],
      async open(isContinued) {
        const opened = await openModel(await modelFolder(values.model), options, values.chatTemplate);
        const prompts = await uniquePrompts(readPairs(values.pairs, options));
        const rewards = await openRewards(values);
        const weighed = await openRunWeights(prompts, values, given, { languageModel: opened, isContinued }, options);
        const { sampler, digest } = await policySampler(values, prompts.length, weighed?.weights);
        const policy = await trainedModel(opened, values);
        // With the adapter off, the policy is the model that it started from.
        const start = async () => policy.model.adapter?.base ?? (await loadLanguageModel(policy.folder)).model;
        const reference = beta > 0 ? await start() : undefined;
        return {
          ...{ loaded: policy, prompts, rewards, weighed, sampler, reference },
          settings: { ...values, model: policy.folder },
          fixed: {
            ...(values.transcripts && { transcripts: true }),
            ...weighed?.fixed,
            ...(digest && { sampler: digest }),
            rewards: rewards.map(({ name, identity }) => `${name}: ${identity}`),
          },
          dispose() {
            policy.model.dispose();
            reference?.dispose();
            for (const reward of rewards) reward.dispose?.();
          },
        };
      },
      async task({ loaded, prompts, rewards, weighed, sampler, reference }, trainer) {
        await weighed?.save();
        const { maxPositions } = loaded.model.description;
        const named = rewards.map(({ name, reward, weight }) => ({
          name,
          reward,
          ...(weight !== undefined && { weight }),
        }));
        const { maxCompletionLength = Math.min(256, Math.floor(maxPositions / 4)) } = values;
        // Importance needs the probability of each draw, which not every sampler reports.
        const importance = values.importance === 0 ? 'none' : { beta: values.importance };
        const turns = values.transcripts
          ? prompts.map((record) => ({ ...record, prompt: transcriptMessages(record.prompt) }))
          : prompts;
        const loader = grpoLoader<{ readonly prompt: ChatPrompt }>(turns, {
          sampler,
          batchSize,
          groupSize,
          importance,
        });
        const { drawCounts } = await trainGrpo(loaded, loader, {
          ...trainer,
          ...{ rewards: named, seed, maxCompletionLength, learningRate, maxRefills, temperature, microBatchSize },
          steps: values.maxSteps,
          weightDecay: 0,
          maxGradNorm: 1,
          loss: (values.loss === 'dapo' ? dapoLoss : grpoLoss)({ beta }),
          ...(weighed && { densities: weighed.density }),
          ...(reference && { reference }),
        });
        return { rareShare: weighed && drawShare(drawCounts, rarestPositions(weighed.density, 0.1)) };
      },
    },
    options,
  );
}

/** The sampler of `--sampler`, with the digest of its code; else draws by weight, or uniform draws. */
async function policySampler({ sampler: file, seed }: GrpoValues, size: number, weights: Float64Array | undefined) {
  if (file !== undefined) {
    const { openSampler } = await import('../open/factory.js');
    return openSampler(file, { size, seed, weights });
  }
  const { uniformSampler, weightedSampler } = await import('@rarefy/samplers');
  const sampler = weights ? weightedSampler(weights, { seed }) : uniformSampler(size, { seed });
  return { sampler, digest: undefined };
}
