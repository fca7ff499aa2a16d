import { type CallOptions, InvalidArgumentError } from '@rarefy/core';
import type { Pair } from '@rarefy/data';
import type { HeldOutOptions, PreferencePair, RewardModelTrainingResult } from '@rarefy/training';
import { adapterOptions } from '../open/adapter.js';
import { chatOptions } from '../open/chat-options.js';
import { openOptimizer, optimizerOptions } from '../open/optimizer.js';
import { choice, integer, number, text } from '../shell/define-option.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { modelOption, outOption, runTraining, trainOptions } from './run-training.js';
import { openRunSampler, openRunWeights, samplerOption, samplingOptions } from './run-weights.js';

export const rewardModelOptions = {
  ...trainOptions,
  ...outOption('rm'),
  ...modelOption,
  ...adapterOptions,
  ...chatOptions,
  ...samplingOptions,
  ...samplerOption,
  ...under('Training', {
    'batch-size': integer('Pairs per step', { default: 16, min: 1 }),
    'micro-batch-size': integer('Pairs per forward pass; more need more memory, and change numbers only by rounding', {
      default: 1,
      min: 1,
    }),
    'max-length': integer('Leave out pairs with a longer text, in tokens; default the positions of the model', {
      min: 8,
    }),
    'center-rewards-coefficient': number('Weight of the term that keeps rewards near 0', { default: 0.01, min: 0 }),
  }),
  ...under('Evaluation', {
    'eval-share': number('Share of the prompts whose pairs are held out, to evaluate on while the model trains', {
      min: 0,
      max: 1,
    }),
    'eval-pairs': text('file', 'JSON Lines of pairs to evaluate on, in place of --eval-share'),
    'eval-steps': integer('Steps between two evaluations', { default: 50, min: 1 }),
    'eval-metric': choice(['eval_loss', 'eval_accuracy'], 'What decides which weights are best', {
      default: 'eval_loss',
    }),
    'load-best-model-at-end': choice(
      ['true', 'false'],
      'Whether the run ends with the weights of the best evaluation, or with those of its last step',
      { default: 'true' },
    ),
    patience: integer('End the run after this many evaluations without a better one', { min: 1 }),
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
        const ofPairs = weighed && pairWeights(pairs, prompts, weighed.weights);
        const { sampler, digest } = await openRunSampler(values, pairs.length, ofPairs);
        const loaded = await trainedModel(opened, values);
        const reward = rewardModel(loaded.model, loaded.extra);
        return {
          ...{ loaded, pairs, evaluation, weighed, sampler, reward },
          extra: () => reward.head(),
          settings: { ...values, model: loaded.folder },
          fixed: {
            ...(values.transcripts && { transcripts: true }),
            ...weighed?.fixed,
            ...(digest && { sampler: digest }),
          },
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
          ...defined({ maxLength, sampler }),
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
  const name = ['eval-steps', 'eval-metric', 'load-best-model-at-end', 'patience'].find((option) => given.has(option));
  if (name !== undefined) throw new InvalidArgumentError(`--${name} needs --eval-share or --eval-pairs`);
}

/** The options of the evaluation, and the pairs of `--eval-pairs`. */
async function openEvaluation(
  values: RewardModelValues,
  options: CallOptions,
): Promise<{ readonly options: HeldOutOptions; readonly pairs?: readonly Pair[] } | undefined> {
  const { evalShare: share, evalPairs, evalSteps: everySteps, evalMetric: metric, patience } = values;
  if (share === undefined && evalPairs === undefined) return undefined;
  const keepBest = values.loadBestModelAtEnd === 'true';
  const common = { everySteps, metric, keepBest, ...(patience !== undefined && { patience }) };
  if (evalPairs === undefined) return { options: { share: share!, ...common } };
  const { readPairs } = await import('@rarefy/data');
  const pairs: Pair[] = [];
  for await (const pair of readPairs(evalPairs, options)) pairs.push(pair);
  return { options: common, pairs };
}
