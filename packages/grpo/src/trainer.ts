import { checkInteger, checkOptions, checkSeed, InvalidArgumentError, TrainingError } from '@rarefy/core';
import {
  type CausalLanguageModel,
  checkLoaded,
  checkSampling,
  checkTrainable,
  type SamplingOptions,
  type SavedModel,
  samplingOptionNames,
  weightsDigest,
} from '@rarefy/lm';
import { type ChatFormat, type ChatPrompt, chatFormat, checkChatFormat } from '@rarefy/tokenizers';
import { type TrainingOptions, type TrainingTask, trainingOptionNames, trainWithCheckpoints } from '@rarefy/training';
import {
  checkCorrection,
  checkLoader,
  checkLoss,
  checkReference,
  checkRollouts,
  checkTreatments,
  completionLengths,
} from './check-training.js';
import type { CompletionLogger } from './completion-logger.js';
import { diversityMetrics } from './diversity-metrics.js';
import { gatherGroups } from './gather-groups.js';
import { learnFromRollout } from './learn.js';
import { drawCounts } from './loader/draw-counts.js';
import { type GrpoLoader, type LoaderState, type PromptBatch, promptTexts } from './loader/grpo-loader.js';
import {
  groupAdvantages,
  meanAndDeviation,
  normalizedRewardAdvantages,
  type RewardAggregation,
  type ScaleRewards,
} from './losses/advantages.js';
import { entropyControl } from './losses/entropy-control.js';
import type { PolicyLoss } from './losses/policy-loss.js';
import { dapoLoss } from './losses/policy-losses.js';
import { resolvedCorrection, type SamplingCorrection } from './losses/sampling-correction.js';
import { completionMetrics, rewardMetrics, samplingMetrics } from './metrics.js';
import { checkReferenceSync, type ReferenceSync, syncedReference } from './reference-sync.js';
import { namedRewards, type RewardInput, scoreCompletions } from './rewards/reward-function.js';
import { policyRollouts, type RolloutSource } from './rollout/rollout-source.js';
import { stepRecorder } from './step-recorder.js';
import { type Treatment, treatedAdvantages, treatedRewards } from './treatments/treatment.js';

export interface GrpoTrainingOptions extends TrainingOptions, SamplingOptions {
  /** Each `{ name, reward, weight }`, or a function, whose name then names it. */
  readonly rewards: readonly RewardInput[];
  /** Default `dapoLoss()`. */
  readonly loss?: PolicyLoss;
  /**
   * Frozen policy that a loss with `beta` > 0 stays near, such as `snapshot(policy.model)`. Required by such a loss, and refused if
   * `beta` is 0, which would ignore it. It must not share weights with the policy.
   */
  readonly reference?: CausalLanguageModel;
  /**
   * Lets the reference follow the policy: `{}` mixes 0.6 of the policy into it every 512 optimizer steps. The run then has a copy
   * of `reference`, which checkpoints hold as `reference.safetensors`. Default: the reference stays as it is. TRL's
   * `sync_ref_model`.
   */
  readonly syncRefModel?: ReferenceSync;
  /** Where completions come from: `serverRollouts({ url, model })`, or those of `recordedGroups`; default: the policy itself. */
  readonly rollouts?: RolloutSource;
  /** Corrects for completions that another program sampled; default `{ mode: 'sequence_mask', clipMax: 3 }`; false: not. */
  readonly samplingCorrection?: SamplingCorrection | false;
  /** Default `group`. */
  readonly scaleRewards?: ScaleRewards;
  /** Default `sum_then_normalize`. The other one ignores `scaleRewards` and takes no treatment that changes rewards. */
  readonly multiObjectiveAggregation?: RewardAggregation;
  /** Change rewards and advantages to keep more kinds of answers, in order, such as `[focalDifficulty()]`; default: none. */
  readonly treatments?: readonly Treatment[];
  /** How often each batch of completions is learned from; default 1. */
  readonly numIterations?: number;
  /**
   * Number of optimizer steps that share a batch of completions: each learns from its part of them, in order; default 1. The parts
   * are of equal size, or differ by one completion. The learning rate is the same in all of them.
   */
  readonly stepsPerGeneration?: number;
  /**
   * Whether completions that reach the length limit without a stop token are left out of the loss; default false, and true for
   * recorded answers.
   */
  readonly maskTruncatedCompletions?: boolean;
  /** Most further batches per step, to replace groups whose rewards are all equal; default 0: such groups stay. */
  readonly maxRefills?: number;
  /** Most tokens per prompt, including special tokens; default: 512, or what completions leave of the model's positions. */
  readonly maxPromptLength?: number;
  /** Most new tokens per completion, including the stop token; default: a quarter of the model's positions, at most 256. */
  readonly maxCompletionLength?: number;
  /** Completions per forward pass; default: the whole batch. Fewer need less memory; sums then differ only by rounding. */
  readonly microBatchSize?: number;
  /** How prompts are written, and which tokens end a completion; default `chatFormat(tokenizer)`: as the model was trained. */
  readonly format?: ChatFormat;
  readonly seed: number;
  /** Density of every prompt, for the `sampling/density_mean` metric. */
  readonly densities?: Float64Array;
  /**
   * Receives the completions of each step with their rewards and advantages. The function form gets the number of steps whose
   * completions are already recorded: `(done) => jsonlCompletions(path, { truncateAfterStep: done })`. Default: they are not kept.
   */
  readonly completions?: CompletionLogger | ((done: number) => CompletionLogger);
}

const optionNames = [
  ...trainingOptionNames,
  ...samplingOptionNames,
  'rewards',
  'loss',
  'reference',
  'syncRefModel',
  'rollouts',
  'samplingCorrection',
  'scaleRewards',
  'multiObjectiveAggregation',
  'treatments',
  'numIterations',
  'stepsPerGeneration',
  'maskTruncatedCompletions',
  'maxRefills',
  'maxPromptLength',
  'maxCompletionLength',
  'microBatchSize',
  'format',
  'seed',
  'densities',
  'completions',
] as const satisfies readonly (keyof GrpoTrainingOptions)[];

export interface GrpoTrainingResult {
  /** How often each position was drawn in the whole run, including steps before a resume and positions added during the run. */
  readonly drawCounts: Uint32Array;
}

/**
 * Group relative policy optimization (Shao et al. 2024, "DeepSeekMath"). Each step takes a batch of prompts from the loader,
 * generates `groupSize` completions per prompt, scores them, computes group advantages, and runs one or more AdamW steps. The stop
 * token is trained. Metrics have TRL's names; `sampling/*` describes what was drawn, and `diversity/*` how varied the completions
 * are. With `checkpoint`, every draw is kept in the folder of the run: see {@link readDraws}.
 *
 * A run resumed from a checkpoint gives the same metrics (except times) and weights as an uninterrupted run. Completions depend
 * only on the seed and the draw. The saved state of the loader includes the updates that the sampler received, for example in
 * `onStep`, until the checkpoint was saved or the next step began.
 * @throws TrainingError if a reward or the loss is not finite, a logger fails, or the sampler ends before `steps`; InputError if
 *   the folder of `checkpoint` already holds a run and `resume` is not set; InvalidArgumentError if an option is unknown or out of
 *   range, policy, loader, loss or a reward is not one, the loss and `reference` do not fit, the reference shares weights with the
 *   policy, or `checkTrainable` refuses the policy; StateMismatchError if a resumed run has other settings.
 */
export async function trainGrpo<Prompt extends { readonly prompt: ChatPrompt }>(
  policy: Omit<SavedModel, 'extra'>,
  loader: GrpoLoader<Prompt>,
  givenOptions: GrpoTrainingOptions,
): Promise<GrpoTrainingResult> {
  const options = checkOptions(givenOptions, optionNames, 'trainGrpo');
  const { seed, signal, onEvent, temperature = 1, topK = 0, topP = 1, scaleRewards = 'group' } = options;
  const { loss = dapoLoss(), reference, numIterations = 1, stepsPerGeneration = 1 } = options;
  const { maxRefills = 0, microBatchSize } = options;
  const { multiObjectiveAggregation = 'sum_then_normalize', treatments = [] } = options;
  checkLoaded(policy, 'trainGrpo');
  checkLoader(loader);
  checkLoss(loss);
  const { rollouts = policyRollouts() } = options;
  checkRollouts(rollouts);
  const { maskTruncatedCompletions = rollouts.masksTruncated ?? false } = options;
  const samplingCorrection = resolvedCorrection(options.samplingCorrection ?? {});
  if (options.rollouts) checkCorrection(samplingCorrection, loss);
  const rewards = namedRewards(options.rewards);
  checkTreatments(treatments, multiObjectiveAggregation);
  checkSeed(seed);
  checkSampling(options);
  const { format = chatFormat(policy.tokenizer) } = options;
  checkChatFormat(format, 'trainGrpo');
  checkInteger('numIterations', numIterations, 1);
  checkInteger('stepsPerGeneration', stepsPerGeneration, 1);
  checkInteger('maxRefills', maxRefills, 0);
  if (microBatchSize !== undefined) checkInteger('microBatchSize', microBatchSize, 1);
  const { maxPromptLength, maxCompletionLength } = completionLengths(policy.model, format, options);
  if (temperature === 0) {
    throw new InvalidArgumentError('temperature must be > 0: GRPO compares different completions of a prompt');
  }

  checkTrainable(policy.model, policy.tokenizer);
  checkReference(reference, loss, policy.model);
  const syncRefModel = checkReferenceSync(options.syncRefModel, policy.model, reference, loss);

  const recorder = stepRecorder(options);
  const counts = drawCounts(loader.size);
  const metricsOfDraws = samplingMetrics(loader, counts, options.densities);
  const entropy = entropyControl(loss);
  const batches = loader[Symbol.asyncIterator]();
  let beforeStep: LoaderState | undefined; // set while a step runs: an abort may cut it short
  const settings = {
    task: 'grpo',
    format: format.name,
    loader: loader.settings,
    loss: { name: loss.name, ...loss.settings },
    rollouts: { name: rollouts.name, ...rollouts.settings },
    samplingCorrection: samplingCorrection && { ...samplingCorrection, clipMax: String(samplingCorrection.clipMax) },
    reference: reference && options.checkpoint && (await weightsDigest(reference)),
    syncRefModel,
    rewards: Object.fromEntries(rewards.map(({ name, weight }) => [name, weight])),
    seed,
    temperature,
    topK,
    topP,
    scaleRewards,
    multiObjectiveAggregation,
    treatments: treatments.map(({ name, settings }) => ({ name, ...settings })),
    numIterations,
    stepsPerGeneration,
    maskTruncatedCompletions,
    maxRefills,
    maxPromptLength,
    maxCompletionLength,
  };

  const synced = syncRefModel && syncedReference(policy.model, reference!, syncRefModel);

  const advantagesOf: Parameters<typeof gatherGroups>[1]['advantagesOf'] = (treated, scores, groupSize) => {
    const weights = rewards.map(({ weight }) => weight);
    const advantages =
      multiObjectiveAggregation === 'sum_then_normalize'
        ? groupAdvantages(treated, groupSize, { scaleRewards, allowMissing: true })
        : normalizedRewardAdvantages(Object.values(scores.rewards), weights, groupSize);
    return treatedAdvantages(treatments, advantages);
  };

  const step: TrainingTask['step'] = async (number, update) => {
    beforeStep = loader.state();
    const sourceMetrics = await rollouts.beforeStep?.(policy, number - 1, {
      ...{ maxPromptLength, maxCompletionLength, format, temperature, topK, topP, seed, signal, onEvent },
      steps: options.steps,
    });
    const gathered = await gatherGroups(
      async () => {
        const batch = await nextBatch(batches, number);
        const written = await rollouts.rollout(policy, promptTexts(batch), {
          groupSize: batch.groupSize,
          first: batch.first,
          maxPromptLength,
          maxCompletionLength,
          format,
          temperature,
          topK,
          topP,
          seed,
          signal,
          onEvent,
        });
        const scores = await scoreCompletions(rewards, written.completions, { signal, onEvent });
        const { completions, groupSize } = written;
        const scored = { completions, groupSize, rewards: scores.total };
        return { batch, written, scores, treated: await treatedRewards(treatments, scored, { signal, onEvent }) };
      },
      { maxRefills, advantagesOf },
    );
    const { advantages, scores, written } = gathered;
    const texts = written.completions.map(({ text }) => text);
    const diversity = diversityMetrics(texts, written.groupSize);
    await recorder.record(number, gathered, diversity);
    const learned = await learnFromRollout(
      policy.model,
      gathered.learned,
      gathered.learnedAdvantages,
      {
        ...{ ...options, loss, entropy, temperature, numIterations, stepsPerGeneration },
        ...{ maxCompletionLength, maskTruncatedCompletions, sequenceWeights: gathered.importance },
        samplingCorrection,
        ...(synced && { reference: synced.model }),
      },
      async (microBatches) => {
        const updated = await update(microBatches);
        synced?.afterUpdate();
        return updated;
      },
    );

    const positions = Int32Array.from(gathered.batches.flatMap((batch) => [...batch.positions]));
    counts.add(positions);
    const { groupSize } = written;
    const rewardOf = (_: number, group: number) =>
      meanAndDeviation(scores.total.subarray(group * groupSize, (group + 1) * groupSize)).mean;
    loader.sampler.observe?.({ step: number, positions, rewards: Float32Array.from(positions, rewardOf) });
    beforeStep = undefined;
    const metrics = {
      ...learned.metrics,
      ...rewardMetrics(scores, advantages),
      ...completionMetrics(written.completions),
      ...metricsOfDraws(gathered.batches),
      ...diversity,
      ...sourceMetrics,
    };
    return { metrics, tokens: learned.tokens };
  };

  try {
    await trainWithCheckpoints(
      {
        name: 'grpo',
        loaded: policy,
        parameters: policy.model.parameters,
        settings,
        ...(synced && { besides: { reference: synced.model.parameters } }),
        step,
        start: recorder.open,
        state: () => ({
          ...{ loader: beforeStep ?? loader.state(), counts: counts.state(), entropy: entropy.state() },
          ...{ rollouts: rollouts.state?.() ?? null, ...(synced && { optimizerSteps: synced.state() }) },
        }),
        restore(state) {
          const saved = state as SavedState<ReturnType<typeof entropy.state>>;
          loader.restore(saved.loader);
          counts.restore(saved.counts);
          entropy.restore(saved.entropy);
          rollouts.restore?.(saved.rollouts);
          synced?.restore(saved.optimizerSteps!);
        },
      },
      options,
    );
    await recorder.close();
  } finally {
    await Promise.allSettled([recorder.close()]); // the error of the run is the one to report
    await batches.return?.();
    synced?.model.dispose();
  }
  return { drawCounts: counts.counts };
}

/** What a checkpoint keeps besides weights and optimizer. */
interface SavedState<Entropy> {
  readonly loader: LoaderState;
  readonly counts: string;
  readonly entropy: Entropy;
  readonly rollouts: unknown;
  /** With `syncRefModel`. */
  readonly optimizerSteps?: number;
}

async function nextBatch<Prompt>(
  batches: AsyncIterator<PromptBatch<Prompt>>,
  step: number,
): Promise<PromptBatch<Prompt>> {
  const { value, done } = await batches.next();
  if (!done) return value;
  throw new TrainingError(
    `the sampler ended: it has no prompts for step ${step}; train for ${step - 1} steps, or more epochs`,
  );
}
