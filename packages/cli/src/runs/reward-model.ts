import { type CallOptions, InvalidArgumentError } from '@rarefy/core';
import type { Pair } from '@rarefy/data';
import type { HeldOutOptions, PreferencePair, RewardModelTrainingResult } from '@rarefy/training';
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
    'micro-batch-size': {
      type: 'integer',
      default: 1,
      min: 1,
      description: 'Pairs per forward pass; more need more memory, and change numbers only by rounding',
    },
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
  ...under('Evaluation', {
    'eval-share': {
      type: 'number',
      min: 0,
      max: 1,
      description: 'Share of the prompts whose pairs are held out, to evaluate on while the model trains',
    },
    'eval-pairs': {
      type: 'text',
      valueHint: 'file',
      description: 'JSON Lines of pairs to evaluate on, in place of --eval-share',
    },
    'eval-steps': { type: 'integer', default: 50, min: 1, description: 'Steps between two evaluations' },
    'eval-metric': {
      type: 'choice',
      choices: ['eval_loss', 'eval_accuracy'],
      default: 'eval_loss',
      description: 'What decides which weights are best; the run ends with the best ones',
    },
    patience: {
      type: 'integer',
      min: 1,
      description: 'End the run after this many evaluations without a better one',
    },
  }),
  ...optimizerOptions({ learningRate: 1e-4, schedule: 'constant', weightDecay: 0 }),
} as const satisfies OptionDefinitions;

type RewardModelValues = OptionValues<typeof rewardModelOptions>;

/** Trains a reward model. */
export async function trainRm(
  values: RewardModelValues,
  options: CallOptions,
  given: ReadonlySet<string>,
): Promise<RewardModelTrainingResult> {
  checkEvaluation(values, given);
  const { pairWeights, trainRewardModel } = await import('@rarefy/training');
  const { rewardModel } = await import('@rarefy/lm');
  const { readPairs, transcriptMessages, uniquePrompts } = await import('@rarefy/data');
  const { weightedSampler } = await import('@rarefy/samplers');
  const { modelFolder, openModel } = await import('../open/model.js');
  const { trainedModel } = await import('../open/adapter.js');
  const { seed, maxLength, batchSize, microBatchSize, centerRewardsCoefficient } = values;
  return runTraining(
    {
      stage: 'rm',
      values,
      shown: ['loss', 'accuracy', 'margin', 'eval_loss', 'eval_accuracy'],
      async open(isContinued) {
        const opened = await openModel(await modelFolder(values.model), options, values.chatTemplate);
        const pairs: Pair[] = [];
        for await (const pair of readPairs(values.pairs, options)) pairs.push(pair);
        const evaluation = await openEvaluation(values, options);
        const prompts = await uniquePrompts(pairs);
        const weighed = await openRunWeights(prompts, values, given, { languageModel: opened, isContinued }, options);
        const sampler = weighed && weightedSampler(pairWeights(pairs, prompts, weighed.weights), { seed });
        const loaded = await trainedModel(opened, values);
        const reward = rewardModel(loaded.model, loaded.extra);
        return {
          ...{ loaded, pairs, evaluation, weighed, sampler, reward },
          extra: () => reward.head(),
          settings: { ...values, model: loaded.folder },
          fixed: { ...(values.transcripts && { transcripts: true }), ...weighed?.fixed },
          dispose: () => reward.dispose(),
        };
      },
      async task({ loaded, reward, pairs, evaluation, weighed, sampler }, trainer) {
        await weighed?.save();
        const asTurns = (given: readonly Pair[]): readonly PreferencePair[] =>
          values.transcripts ? given.map((pair) => ({ ...pair, prompt: transcriptMessages(pair.prompt) })) : given;
        return trainRewardModel(loaded, reward, asTurns(pairs), {
          ...trainer,
          ...(await openOptimizer(values)),
          ...{ batchSize, microBatchSize, centerRewardsCoefficient, seed, steps: values.maxSteps },
          ...(evaluation && {
            evaluation: { ...evaluation.options, ...(evaluation.pairs && { pairs: asTurns(evaluation.pairs) }) },
          }),
          ...(maxLength !== undefined && { maxLength }),
          ...(sampler && { sampler }),
        });
      },
    },
    options,
  );
}

/** Evaluation options that were given need pairs to evaluate on, from one place. */
function checkEvaluation({ evalShare, evalPairs }: RewardModelValues, given: ReadonlySet<string>): void {
  if (evalShare !== undefined && evalPairs !== undefined) {
    throw new InvalidArgumentError(
      '--eval-share and --eval-pairs exclude each other: both choose the pairs to evaluate on',
    );
  }
  if (evalShare !== undefined || evalPairs !== undefined) return;
  const name = ['eval-steps', 'eval-metric', 'patience'].find((option) => given.has(option));
  if (name !== undefined) throw new InvalidArgumentError(`--${name} needs --eval-share or --eval-pairs`);
}

/** The options of the evaluation, and the pairs of `--eval-pairs`. */
async function openEvaluation(
  values: RewardModelValues,
  options: CallOptions,
): Promise<{ readonly options: HeldOutOptions; readonly pairs?: readonly Pair[] } | undefined> {
  const { evalShare: share, evalPairs, evalSteps: everySteps, evalMetric: metric, patience } = values;
  if (share === undefined && evalPairs === undefined) return undefined;
  const common = { everySteps, metric, ...(patience !== undefined && { patience }) };
  if (evalPairs === undefined) return { options: { share: share!, ...common } };
  const { readPairs } = await import('@rarefy/data');
  const pairs: Pair[] = [];
  for await (const pair of readPairs(evalPairs, options)) pairs.push(pair);
  return { options: common, pairs };
}
