import type { CallOptions } from '@rarefy/core';
import type { Pair, PromptRecord } from '@rarefy/data';
import { adapterOptions } from '../open/adapter.js';
import { chatOptions } from '../open/chat-options.js';
import { openOptimizer, optimizerOptions } from '../open/optimizer.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { modelOption, outOption, runTraining, trainOptions } from './run-training.js';
import { openRunWeights, samplingOptions } from './run-weights.js';

export const rewardModelOptions = {
  ...trainOptions,
  ...outOption('rm'),
  ...modelOption,
  ...adapterOptions,
  ...chatOptions,
  ...samplingOptions,
  ...under('Training', {
    'batch-size': { type: 'integer', default: 16, min: 1, description: 'Pairs per step' },
    'max-length': {
      type: 'integer',
      min: 8,
      description: 'Leave out pairs with a longer text, in tokens; default the positions of the model',
    },
    'center-rewards-coefficient': {
      type: 'number',
      default: 0.01,
      min: 0,
      description: 'Weight of the term that keeps rewards near 0',
    },
  }),
  ...optimizerOptions({ learningRate: 1e-4, schedule: 'constant', maxGradNorm: 0 }),
} as const satisfies OptionDefinitions;

/** Trains a reward model. Returns how many pairs it was trained on, and how many were too long. */
export async function trainRm(
  values: OptionValues<typeof rewardModelOptions>,
  options: CallOptions,
  given: ReadonlySet<string>,
): Promise<{ readonly pairs: number; readonly tooLong: number }> {
  const { trainRewardModel } = await import('@rarefy/grpo');
  const { rewardModel } = await import('@rarefy/lm');
  const { readPairs, transcriptMessages, uniquePrompts } = await import('@rarefy/data');
  const { weightedSampler } = await import('@rarefy/samplers');
  const { modelFolder, openModel } = await import('../open/model.js');
  const { trainedModel } = await import('../open/adapter.js');
  const { seed, maxSteps, maxLength, batchSize, centerRewardsCoefficient } = values;
  return runTraining(
    {
      stage: 'rm',
      values,
      shown: ['loss', 'accuracy', 'margin'],
      async open(isContinued) {
        const opened = await openModel(await modelFolder(values.model), options, values.chatTemplate);
        const pairs: Pair[] = [];
        for await (const pair of readPairs(values.pairs, options)) pairs.push(pair);
        const prompts = await uniquePrompts(pairs);
        const weighed = await openRunWeights(prompts, values, given, { languageModel: opened, isContinued }, options);
        const sampler = weighed && weightedSampler(pairWeights(pairs, prompts, weighed.weights), { seed });
        const loaded = await trainedModel(opened, values);
        const reward = rewardModel(loaded.model, loaded.extra);
        return {
          ...{ loaded, pairs, weighed, sampler, reward },
          extra: () => reward.head(),
          settings: { ...values, model: loaded.folder },
          fixed: { ...(values.transcripts && { transcripts: true }), ...weighed?.fixed },
          dispose: () => reward.dispose(),
        };
      },
      async task({ loaded, reward, pairs, weighed, sampler }, trainer) {
        await weighed?.save();
        const rows = values.transcripts
          ? pairs.map((pair) => ({ ...pair, prompt: transcriptMessages(pair.prompt) }))
          : pairs;
        return trainRewardModel(loaded, reward, rows, {
          ...trainer,
          ...(await openOptimizer(values)),
          ...{ batchSize, centerRewardsCoefficient, seed, steps: maxSteps },
          ...(maxLength !== undefined && { maxLength }),
          ...(sampler && { sampler }),
        });
      },
    },
    options,
  );
}

/** A prompt is drawn in proportion to its weight, and then each of its pairs is equally likely. */
function pairWeights(pairs: readonly Pair[], prompts: readonly PromptRecord[], weights: Float64Array): Float64Array {
  const shareOf = new Map(prompts.map(({ prompt, count }, position) => [prompt, weights[position]! / count]));
  return Float64Array.from(pairs, ({ prompt }) => shareOf.get(prompt)!);
}
