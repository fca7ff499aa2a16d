import { InvalidArgumentError, TrainingError } from '@rarefy/core';
import {
  type CausalLanguageModel,
  type LoadedModel,
  type SamplingOptions,
  type TrainingOptions,
  type TrainingTask,
  trainWithCheckpoints,
} from '@rarefy/lm';
import type { ScaleRewards } from './advantages.js';
import { drawCounts } from './draw-counts.js';
import { gatherGroups } from './gather-groups.js';
import { learnFromRollout } from './learn-from-rollout.js';
import type { GrpoLoader, LoaderState, PromptBatch } from './loader.js';
import { dapoLoss } from './losses/dapo.js';
import type { PolicyLoss } from './losses/loss.js';
import { completionMetrics, rewardMetrics, samplingMetrics } from './metrics.js';
import type { NamedReward } from './rewards/reward-function.js';
import { scoreCompletions } from './rewards/score-completions.js';
import { rollout } from './rollout.js';

export interface GrpoTrainingOptions extends TrainingOptions, SamplingOptions {
  readonly rewards: readonly NamedReward[];
  /** Default `dapoLoss()`. */
  readonly loss?: PolicyLoss;
  /** Frozen policy that a loss with `beta` > 0 is held near. */
  readonly reference?: CausalLanguageModel;
  /** Default `group`. */
  readonly scaleRewards?: ScaleRewards;
  /** Optimizer steps on each batch of completions; default 1. */
  readonly numIterations?: number;
  /** Most further batches a step, drawn to replace groups whose rewards are all equal; default 0: such groups stay. */
  readonly maxRefills?: number;
  /** Longest prompt in tokens, chat marks included; default 512, or what the model's positions leave. */
  readonly maxPromptLength?: number;
  /** Most new tokens, the stop token included; default 256. */
  readonly maxCompletionLength?: number;
  /** Completions a forward pass; default the whole batch. Fewer need less memory and give the same sums up to rounding. */
  readonly microBatchSize?: number;
  readonly seed: number;
  /** Density of every prompt, for the `sampling/density_mean` metric. */
  readonly densities?: Float64Array;
}

export interface GrpoTrainingResult {
  /** How often each position was drawn in the whole run, steps before a resume included; positions added meanwhile too. */
  readonly drawCounts: Uint32Array;
}

/**
 * Group relative policy optimization (Shao et al. 2024): prompts from the loader, `groupSize` completions each, rewards, group
 * advantages, one or more AdamW steps. The stop token is trained. Metrics have TRL's names, and `sampling/*` tells what was drawn.
 *
 * Resumed from its checkpoints it gives the same metrics (but times) and weights as an unbroken run: completions depend on
 * (seed, draw) only, and the loader's state is that after the last finished step, with the updates that came until it was saved or
 * the next step began; what `onStep` changes is in it.
 * @throws TrainingError for a reward or loss that is not finite, or when the sampler is finished before `steps`
 */
export async function trainGrpo<Prompt extends { readonly prompt: string }>(
  policy: Pick<LoadedModel, 'model' | 'tokenizer' | 'config'>,
  loader: GrpoLoader<Prompt>,
  options: GrpoTrainingOptions,
): Promise<GrpoTrainingResult> {
  const { seed, learningRate, signal, onEvent, temperature = 1, topK = 0, topP = 1, scaleRewards = 'group' } = options;
  const { loss = dapoLoss(), numIterations = 1, maxRefills = 0, maxCompletionLength = 256 } = options;
  const { maxPositions } = policy.model.description;
  const { maxPromptLength = Math.min(512, maxPositions - maxCompletionLength) } = options;
  checkPositive({ numIterations, maxCompletionLength, maxPromptLength });
  if (temperature === 0)
    throw new InvalidArgumentError('temperature must be > 0: GRPO compares different completions of a prompt');

  const counts = drawCounts(loader.size);
  const tellSampling = samplingMetrics(loader, counts, options.densities);
  const batches = loader[Symbol.asyncIterator]();
  let beforeStep: LoaderState | undefined; // while a step runs, which an abort may cut short
  let tokens = 0;
  const settings = {
    task: 'grpo',
    loader: loader.settings,
    loss: loss.name,
    rewards: options.rewards.map(({ name, weight = 1 }) => [name, weight]),
    seed,
    learningRate,
    temperature,
    topK,
    topP,
    scaleRewards,
    numIterations,
    maxRefills,
    maxPromptLength,
    maxCompletionLength,
  };

  const step: TrainingTask['step'] = async (number, update) => {
    beforeStep = loader.state();
    const gathered = await gatherGroups(
      async () => {
        const batch = await nextBatch(batches, number);
        const prompts = batch.prompts.map(({ prompt }, index) => ({ prompt, position: batch.positions[index]! }));
        const written = await rollout(policy, prompts, {
          groupSize: batch.groupSize,
          first: batch.first,
          maxPromptLength,
          maxCompletionLength,
          temperature,
          topK,
          topP,
          seed,
          signal,
        });
        return {
          batch,
          written,
          scores: await scoreCompletions(options.rewards, written.completions, { signal, onEvent }),
        };
      },
      { maxRefills, scaleRewards },
    );
    const { advantages, scores, written } = gathered;
    const learned = await learnFromRollout(
      policy.model,
      gathered.learned,
      gathered.learnedAdvantages,
      { ...options, loss, temperature, numIterations, sequenceWeights: gathered.importance },
      update,
    );

    const positions = Int32Array.from(gathered.batches.flatMap((batch) => [...batch.positions]));
    counts.add(positions);
    tokens += learned.tokens;
    loader.sampler.observe?.({ step: number, positions, rewards: Float32Array.from(advantages.means) });
    beforeStep = undefined;
    return {
      ...learned.metrics,
      ...rewardMetrics(scores, advantages),
      ...completionMetrics(written.completions),
      num_tokens: tokens,
      ...tellSampling(gathered.batches),
    };
  };

  try {
    await trainWithCheckpoints(
      {
        name: 'grpo',
        loaded: policy,
        parameters: policy.model.parameters,
        settings,
        step,
        state: () => ({ loader: beforeStep ?? loader.state(), counts: counts.state(), tokens }),
        restore(state) {
          const saved = state as { loader: LoaderState; counts: string; tokens: number };
          loader.restore(saved.loader);
          counts.restore(saved.counts);
          tokens = saved.tokens;
        },
      },
      options,
    );
  } finally {
    await batches.return?.();
  }
  return { drawCounts: counts.counts };
}

async function nextBatch<Prompt>(
  batches: AsyncIterator<PromptBatch<Prompt>>,
  step: number,
): Promise<PromptBatch<Prompt>> {
  const { value, done } = await batches.next();
  if (!done) return value;
  throw new TrainingError(
    `the sampler is finished: it has no prompts for step ${step}; ask for ${step - 1} steps, or more epochs`,
  );
}

function checkPositive(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(Number.isInteger(value) && value >= 1))
      throw new InvalidArgumentError(`${name} must be an integer ≥ 1, got ${value}`);
  }
}
