import { join } from 'node:path';
import { type CallOptions, InvalidArgumentError, warn } from '@rarefy/core';
import type { Pair } from '@rarefy/data';
import type { RecordedAnswer } from '@rarefy/grpo';
import type { ChatPrompt } from '@rarefy/tokenizers';
import { adapterOptions } from '../open/adapter.js';
import { chatOptions } from '../open/chat-options.js';
import { openOptimizer, optimizerOptions } from '../open/optimizer.js';
import { checkLossOptions, lossOptions, openLoss } from '../open/policy-loss.js';
import { openRewards, rewardOptions } from '../open/rewards.js';
import { openRollouts, rolloutOptions } from '../open/rollouts.js';
import { openTreatments, treatmentOptions } from '../open/treatments.js';
import { checkExclusive } from '../shell/check-options.js';
import { choice, flag, integer, number, text } from '../shell/define-option.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import { keptUntil, modelOption, outOption, runTraining, trainOptions } from './run-training.js';
import { openRunSampler, openRunWeights, samplerOption, samplingOptions } from './run-weights.js';

export const grpoOptions = {
  ...trainOptions,
  ...under('Data', {
    offline: flag('Learn from the chosen and rejected answers of --pairs, and generate none'),
  }),
  ...outOption('grpo'),
  ...modelOption,
  ...adapterOptions,
  ...chatOptions,
  ...samplingOptions,
  ...samplerOption,
  ...under('Sampling', {
    importance: number('Weight each draw in the loss by (uniform / its probability) ^ this: 0 not at all, 1 fully', {
      default: 0,
      min: 0,
      max: 1,
    }),
    'importance-target': text('file', 'Weights file of the prompts, in place of uniform in --importance'),
    prefetch: integer('Batches drawn ahead; feedback does not reach those that are drawn', { default: 0, min: 0 }),
    'max-refills': integer('Additional batches per step, to replace groups whose rewards are all equal', {
      default: 0,
      min: 0,
    }),
  }),
  ...rewardOptions,
  ...under('Rewards', {
    'scale-rewards': choice(
      ['group', 'batch', 'none'],
      'Divide advantages by the standard deviation of the rewards of the group or batch, or not',
      { default: 'group' },
    ),
    'multi-objective-aggregation': choice(
      ['sum_then_normalize', 'normalize_then_sum'],
      'Add rewards up before their advantages, or make each reward an advantage first',
      { default: 'sum_then_normalize' },
    ),
  }),
  ...treatmentOptions,
  ...under('Completions', {
    'group-size': integer(
      'Completions per prompt; default 8, with --offline 2. Then prompts with fewer answers are left out',
      { min: 2 },
    ),
    temperature: number('Temperature of the completions', { default: 1, min: 0.01 }),
    'top-k': integer('Draw from this many likeliest tokens; 0: from all', { default: 0, min: 0 }),
    'top-p': number('Draw from the likeliest tokens of this mass', { default: 1, min: 0, max: 1 }),
    'max-prompt-length': integer(
      'Largest number of prompt tokens; a longer one loses its beginning. Default what completions leave, at most 512',
      { min: 1 },
    ),
    'max-completion-length': integer(
      'Largest number of new tokens; default a quarter of the positions of the model, at most 256',
      { min: 1 },
    ),
  }),
  ...lossOptions,
  ...under('Loss', {
    'mask-truncated-completions': flag('Leave completions out of the loss that reach the length limit'),
  }),
  ...optimizerOptions({ learningRate: 1e-5, schedule: 'constant' }),
  ...under('Training', {
    'batch-size': integer('Prompts per step', { default: 32, min: 1 }),
    'micro-batch-size': integer('Completions per forward pass', { default: 64, min: 1 }),
    'num-iterations': integer('How often a batch is learned from', { default: 1, min: 1 }),
    'steps-per-generation': integer('Optimizer steps that share a batch: each learns from its part', {
      default: 1,
      min: 1,
    }),
  }),
  ...under('Evaluation', {
    'eval-pairs': text(
      'file',
      'Pairs whose prompts are answered every --eval-steps steps; the metrics are logged as eval_…',
    ),
    'eval-steps': integer('Steps between two evaluations', { default: 50, min: 1 }),
    'num-generations-eval': integer('Completions per evaluated prompt', { default: 1, min: 1 }),
    'eval-batch-size': integer('Evaluated prompts per batch', { default: 16, min: 1 }),
  }),
  ...under('Output', {
    'log-completions': flag('Write the completions of every step to completions.jsonl'),
  }),
  ...rolloutOptions,
} as const satisfies OptionDefinitions;

type GrpoValues = OptionValues<typeof grpoOptions>;

/** The record with its prompt as turns, if prompts are transcripts. */
type TurnsOf = <Row extends { readonly prompt: string }>(
  record: Row,
) => Omit<Row, 'prompt'> & { readonly prompt: ChatPrompt };

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
  const { drawShare, grpoLoader, jsonlCompletions, policyEvaluator, trainGrpo } = await import('@rarefy/grpo');
  const { loadLanguageModel } = await import('@rarefy/lm');
  const { readPairs, readWeights, transcriptMessages, uniquePrompts } = await import('@rarefy/data');
  const { rarestPositions } = await import('@rarefy/density');
  const { uniformSampler } = await import('@rarefy/samplers');
  const { checkpointFolder, modelFolder, openModel } = await import('../open/model.js');
  const { trainedModel } = await import('../open/adapter.js');
  const { seed, batchSize, prefetch, maxRefills, temperature, topK, topP, microBatchSize } = values;
  const { evalPairs, importanceTarget, offline } = values;
  const { groupSize = offline ? 2 : 8 } = values;
  const turnsOf: TurnsOf = (record) =>
    values.transcripts ? { ...record, prompt: transcriptMessages(record.prompt) } : record;
  const served = await openRollouts(values, given);
  return runTraining(
    {
      stage: 'grpo',
      values,
      shown: offline
        ? ['loss', 'kl', 'completions/clipped_ratio', 'sampling/coverage']
        : ['reward', 'reward_std', 'loss', 'completions/mean_length', 'sampling/coverage'],
      async open(isContinued) {
        const opened = await openModel(await modelFolder(values.model), options, values.chatTemplate);
        const unique = await uniquePrompts(readPairs(values.pairs, options));
        const rewards = await openRewards(values, given);
        if (evalPairs !== undefined && rewards.some(({ identity }) => identity === 'recorded')) {
          throw new InvalidArgumentError(
            '--eval-pairs scores generated answers, and --reward recorded only recorded ones; give another --reward, or drop --eval-pairs.',
          );
        }
        const treated = await openTreatments(values, given, options);
        const ids = unique.map(({ id }) => id);
        const targets = importanceTarget === undefined ? undefined : (await readWeights(importanceTarget, ids)).weights;
        const weighed = await openRunWeights(unique, values, given, { languageModel: opened, isContinued }, options);
        const recorded = offline ? await openRecorded(values.pairs, groupSize, turnsOf, options) : undefined;
        const prompts = recorded?.prompts ?? unique.map(turnsOf);
        const take = (column: Float64Array | undefined) =>
          recorded && column ? Float64Array.from(recorded.positions, (position) => column[position]!) : column;
        const [weights, density, target] = [take(weighed?.weights), take(weighed?.density), take(targets)];
        const drawn = await openRunSampler(values, prompts.length, weights);
        const sampler = drawn.sampler ?? uniformSampler(prompts.length, { seed });
        const policy = await trainedModel(opened, values);
        const evaluated = evalPairs === undefined ? [] : await uniquePrompts(readPairs(evalPairs, options));
        const load = async (folder: string) => (await loadLanguageModel(folder)).model;
        // With the adapter off, the policy is the model that it started from.
        const start = () => policy.model.adapter?.base ?? load(policy.folder);
        const { reference: named, beta } = values;
        const other = named === undefined ? undefined : await load(await checkpointFolder(named));
        const reference = beta > 0 ? (other ?? (await start())) : undefined;
        return {
          ...{ loaded: policy, prompts, density, recorded, rewards, treated, target, weighed, sampler, evaluated },
          reference,
          settings: { ...values, groupSize, model: policy.folder },
          fixed: {
            ...(values.transcripts && { transcripts: true }),
            ...weighed?.fixed,
            ...(drawn.digest && { sampler: drawn.digest }),
            rewards: rewards.map(({ name, identity }) => `${name}: ${identity}`),
            ...(treated.digests.length > 0 && { treatments: treated.digests }),
          },
          async dispose() {
            policy.model.dispose();
            reference?.dispose();
            for (const reward of rewards) reward.dispose?.();
            await treated.dispose();
          },
        };
      },
      async task(opened, trainer) {
        const { loaded, prompts, density, recorded, rewards, treated, target, weighed, sampler, evaluated, reference } =
          opened;
        await weighed?.save();
        const named = rewards.map(({ name, reward, weight }) => ({ name, reward, weight }));
        const { maxPromptLength, maxCompletionLength, evalSteps, scaleRewards, multiObjectiveAggregation } = values;
        const { numIterations, stepsPerGeneration, refModelMixupAlpha: mixupAlpha } = values;
        const generation = { temperature, topK, topP, ...defined({ maxPromptLength, maxCompletionLength }) };
        // Importance needs the probability of each draw, which not every sampler reports.
        const importance = values.importance === 0 ? 'none' : { beta: values.importance };
        const questions = evaluated.map((record) => turnsOf(record).prompt);
        const loader = grpoLoader<{ readonly prompt: ChatPrompt }>(prompts, {
          ...{ sampler, batchSize, groupSize, importance, prefetch },
          ...(target && { target: normalized(target) }),
        });
        const { drawCounts } = await trainGrpo(loaded, loader, {
          ...trainer,
          ...(recorded ? { rollouts: recorded.rollouts, samplingCorrection: false } : served),
          ...generation,
          ...{ rewards: named, seed, maxRefills, microBatchSize, steps: values.maxSteps, loss: await openLoss(values) },
          ...(await openOptimizer(values)),
          ...{ scaleRewards, multiObjectiveAggregation, treatments: treated.treatments, numIterations },
          ...{ stepsPerGeneration, ...(values.maskTruncatedCompletions && { maskTruncatedCompletions: true }) },
          ...(values.syncRefModel && { syncRefModel: { mixupAlpha, syncSteps: values.refModelSyncSteps } }),
          ...(evalPairs !== undefined && {
            evaluate: policyEvaluator(loaded, questions, {
              ...{ ...generation, rewards: named, seed },
              ...{ groupSize: values.numGenerationsEval, batchSize: values.evalBatchSize },
            }),
            evalSteps,
          }),
          ...(values.logCompletions && {
            completions: (done: number) => jsonlCompletions(join(values.out, 'completions.jsonl'), keptUntil(done)),
          }),
          ...defined({ densities: density, reference }),
        });
        return { rareShare: density && drawShare(drawCounts, rarestPositions(density, 0.1)) };
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
  checkExclusive(given, 'offline', ['rollout-url', 'top-k', 'top-p'], 'recorded answers are not generated');
  if (values.importance === 0 && given.has('importance-target'))
    throw new InvalidArgumentError('--importance-target needs --importance above 0.');
  const ofEvaluation = ['eval-steps', 'num-generations-eval', 'eval-batch-size'];
  const ignored = given.has('eval-pairs') ? undefined : ofEvaluation.find((name) => given.has(name));
  if (ignored) throw new InvalidArgumentError(`--${ignored} needs --eval-pairs, the prompts to answer.`);
}

/** The answers of the pairs, for each prompt with at least `groupSize`, and the positions of these prompts among all. */
async function openRecorded(file: string, groupSize: number, turnsOf: TurnsOf, options: CallOptions) {
  const { recordedGroups, recordedPairs } = await import('@rarefy/grpo');
  const { readPairs } = await import('@rarefy/data');
  const pairs: Pair[] = [];
  for await (const pair of readPairs(file, options)) pairs.push(pair);
  const all = recordedPairs(pairs) as readonly { prompt: string; answers: readonly RecordedAnswer[] }[];
  const { prompts, leftOut, rollouts } = recordedGroups(all.map(turnsOf), { groupSize });
  if (leftOut > 0) {
    const message = `${leftOut} of ${all.length} prompts have fewer than ${groupSize} different answers; they are left out`;
    warn(options.onEvent, { task: 'grpo', code: 'prompts-left-out', message });
  }
  const positions = all.flatMap(({ answers }, position) => (answers.length >= groupSize ? [position] : []));
  return { prompts, positions, rollouts };
}

/** Probabilities in proportion to weights. */
function normalized(weights: Float64Array): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
