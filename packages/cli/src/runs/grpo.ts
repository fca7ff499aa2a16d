import { join } from 'node:path';
import { type CallOptions, InvalidArgumentError } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import type { ChatPrompt } from '@rarefy/tokenizers';
import { adapterOptions } from '../open/adapter.js';
import { chatOptions } from '../open/chat-options.js';
import { openOptimizer, optimizerOptions } from '../open/optimizer.js';
import { checkLossOptions, defined, lossOptions, openLoss } from '../open/policy-loss.js';
import { openRollouts, rolloutOptions } from '../open/rollouts.js';
import { checkExclusive } from '../shell/check-options.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { keptUntil, modelOption, outOption, runTraining, trainOptions } from './run-training.js';
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
  ...under('Rewards', {
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
    'scale-rewards': {
      type: 'choice',
      choices: ['group', 'batch', 'none'],
      default: 'group',
      description: 'Divide advantages by the standard deviation of the rewards of the group or batch, or not',
    },
    'multi-objective-aggregation': {
      type: 'choice',
      choices: ['sum_then_normalize', 'normalize_then_sum'],
      default: 'sum_then_normalize',
      description: 'Add rewards up before their advantages, or make each reward an advantage first',
    },
    'focal-difficulty': {
      type: 'number',
      min: 0,
      description:
        'Multiply the advantages of a group by (1 - its mean reward) ^ this (F-GRPO); default 0. For rewards from 0 to 1',
    },
  }),
  ...under('Completions', {
    'group-size': { type: 'integer', default: 8, min: 2, description: 'Completions per prompt' },
    temperature: { type: 'number', default: 1, min: 0.01, description: 'Temperature of the completions' },
    'top-k': { type: 'integer', default: 0, min: 0, description: 'Draw from this many likeliest tokens; 0: from all' },
    'top-p': { type: 'number', default: 1, min: 0, max: 1, description: 'Draw from the likeliest tokens of this mass' },
    'max-prompt-length': {
      type: 'integer',
      min: 1,
      description:
        'Largest number of prompt tokens; a longer one loses its beginning. Default what completions leave, at most 512',
    },
    'max-completion-length': {
      type: 'integer',
      min: 1,
      description: 'Largest number of new tokens; default a quarter of the positions of the model, at most 256',
    },
  }),
  ...lossOptions,
  ...under('Loss', {
    'mask-truncated-completions': {
      type: 'flag',
      description: 'Leave completions out of the loss that reach the length limit',
    },
  }),
  ...optimizerOptions({ learningRate: 1e-5, schedule: 'constant' }),
  ...under('Training', {
    'batch-size': { type: 'integer', default: 32, min: 1, description: 'Prompts per step' },
    'micro-batch-size': { type: 'integer', default: 64, min: 1, description: 'Completions per forward pass' },
    'num-iterations': { type: 'integer', default: 1, min: 1, description: 'How often a batch is learned from' },
    'steps-per-generation': {
      type: 'integer',
      default: 1,
      min: 1,
      description: 'Optimizer steps that share a batch: each learns from its part',
    },
  }),
  ...under('Evaluation', {
    'eval-pairs': {
      type: 'text',
      valueHint: 'file',
      description: 'Pairs whose prompts are answered every --eval-steps steps; the metrics are logged as eval_…',
    },
    'eval-steps': { type: 'integer', default: 50, min: 1, description: 'Steps between two evaluations' },
    'num-generations-eval': { type: 'integer', default: 1, min: 1, description: 'Completions per evaluated prompt' },
  }),
  ...under('Output', {
    'log-completions': { type: 'flag', description: 'Write the completions of every step to completions.jsonl' },
  }),
  ...rolloutOptions,
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
  checkTraining(values, given);
  const { drawShare, focalDifficulty, grpoLoader, jsonlCompletions, policyEvaluator, trainGrpo } = await import(
    '@rarefy/grpo'
  );
  const { loadLanguageModel } = await import('@rarefy/lm');
  const { readPairs, transcriptMessages, uniquePrompts } = await import('@rarefy/data');
  const { rarestPositions } = await import('@rarefy/density');
  const { modelFolder, openModel } = await import('../open/model.js');
  const { trainedModel } = await import('../open/adapter.js');
  const { openRewards } = await import('../open/rewards.js');
  const { seed, batchSize, groupSize, maxRefills, temperature, topK, topP, microBatchSize, evalPairs } = values;
  const rollouts = await openRollouts(values, given);
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
        const evaluated = evalPairs === undefined ? [] : await uniquePrompts(readPairs(evalPairs, options));
        // With the adapter off, the policy is the model that it started from.
        const start = async () => policy.model.adapter?.base ?? (await loadLanguageModel(policy.folder)).model;
        const reference = values.beta > 0 ? await start() : undefined;
        return {
          ...{ loaded: policy, prompts, rewards, weighed, sampler, evaluated, reference },
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
      async task({ loaded, prompts, rewards, weighed, sampler, evaluated, reference }, trainer) {
        await weighed?.save();
        const named = rewards.map(({ name, reward, weight }) => ({
          name,
          reward,
          ...(weight !== undefined && { weight }),
        }));
        const { maxPromptLength, maxCompletionLength, focalDifficulty: gamma, evalSteps } = values;
        const generation = { temperature, topK, topP, ...defined({ maxPromptLength, maxCompletionLength }) };
        // Importance needs the probability of each draw, which not every sampler reports.
        const importance = values.importance === 0 ? 'none' : { beta: values.importance };
        const turnsOf = (record: PromptRecord): Omit<PromptRecord, 'prompt'> & { readonly prompt: ChatPrompt } =>
          values.transcripts ? { ...record, prompt: transcriptMessages(record.prompt) } : record;
        const loader = grpoLoader<{ readonly prompt: ChatPrompt }>(prompts.map(turnsOf), {
          sampler,
          batchSize,
          groupSize,
          importance,
        });
        const { drawCounts } = await trainGrpo(loaded, loader, {
          ...trainer,
          ...rollouts,
          ...generation,
          ...{ rewards: named, seed, maxRefills, microBatchSize, steps: values.maxSteps, loss: await openLoss(values) },
          ...(await openOptimizer(values)),
          scaleRewards: values.scaleRewards,
          multiObjectiveAggregation: values.multiObjectiveAggregation,
          ...(gamma !== undefined && { treatments: [focalDifficulty({ gamma })] }),
          numIterations: values.numIterations,
          stepsPerGeneration: values.stepsPerGeneration,
          maskTruncatedCompletions: values.maskTruncatedCompletions,
          ...(evalPairs !== undefined && {
            evaluate: policyEvaluator(
              loaded,
              evaluated.map((record) => turnsOf(record).prompt),
              { ...generation, rewards: named, seed, groupSize: values.numGenerationsEval },
            ),
            evalSteps,
          }),
          ...(values.logCompletions && {
            completions: (done: number) => jsonlCompletions(join(values.out, 'completions.jsonl'), keptUntil(done)),
          }),
          ...(weighed && { densities: weighed.density }),
          ...(reference && { reference }),
        });
        return { rareShare: weighed && drawShare(drawCounts, rarestPositions(weighed.density, 0.1)) };
      },
    },
    options,
  );
}

/** @throws InvalidArgumentError for an option that would be ignored. */
function checkTraining(values: GrpoValues, given: ReadonlySet<string>): void {
  checkLossOptions(given, values);
  checkExclusive(
    values.multiObjectiveAggregation === 'normalize_then_sum' ? given : new Set(),
    'multi-objective-aggregation',
    ['scale-rewards'],
    'normalize_then_sum scales each reward by its group and then the batch',
  );
  const ignored = ['eval-steps', 'num-generations-eval'].find((name) => given.has(name) && !given.has('eval-pairs'));
  if (ignored) throw new InvalidArgumentError(`--${ignored} needs --eval-pairs, the prompts to answer.`);
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
