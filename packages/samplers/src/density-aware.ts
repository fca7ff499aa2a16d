import {
  type CallOptions,
  callOptionNames,
  checkEmbedder,
  checkItemArray,
  checkOptions,
  checkSeed,
  type DensityEstimator,
  type Embedder,
  type Weighting,
} from '@rarefy/core';
import { type DensityReport, inverseDensity, knnDistance, weighPrompts } from '@rarefy/density';
import { type PromptItem, promptItems } from './prompt-items.js';
import { type WeightedSampler, weightedSampler } from './weighted.js';

export interface DensityAwareOptions<Item> extends CallOptions {
  readonly embedder: Embedder<Item>;
  /** Default `knnDistance({ k: 10 })`. */
  readonly estimator?: DensityEstimator;
  /** From density to weight. Default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /** Any safe integer. */
  readonly seed: number;
  /** Prompts per batch of the embedder. Default 32. */
  readonly batchSize?: number;
}

const optionNames = [
  'embedder',
  'estimator',
  'weighting',
  'seed',
  'batchSize',
  ...callOptionNames,
] satisfies (keyof DensityAwareOptions<unknown>)[];

/** A weighted sampler that also has what it was built from. `densityUpdates` takes prompts, estimator and weighting from it. */
export interface DensityAwareSampler<Prompt = unknown> extends WeightedSampler {
  /** The list that was given, not a copy. */
  readonly prompts: readonly Prompt[];
  readonly estimator: DensityEstimator;
  readonly weighting: Weighting;
  /** One value per prompt; larger is more crowded. */
  readonly density: Float64Array;
  /** What the initial weights do to the draws. */
  readonly report: DensityReport;
}

/**
 * Draws rare prompts more often: weighs the prompts with `weighPrompts` and draws with replacement, in proportion to the weights.
 * Events, warnings and errors are those of `weighPrompts`.
 *
 * Fingerprint and state are those of `weightedSampler(weights, { seed })`: a sampler rebuilt from the saved initial weights takes
 * the state, and one of other weights does not.
 *
 * The prompts are embedded once, here. Give a snapshot of a model, such as `snapshot(model)` of `@rarefy/lm`, if it may be trained
 * meanwhile: the embedders of `@rarefy/embedders/causal-lm` notice changed weights and throw, and others, such as `embedderFrom`
 * over a function that reads the model, cannot.
 * @param prompts texts, records `{ prompt }` as a loader takes them, or any other items of the embedder. Of a record, only the text
 * `prompt` is embedded.
 * @throws InvalidArgumentError if the seed is not a safe integer, an option is unknown, `embedder` or `estimator` is not one, the
 * prompts are no array, or `weighting` is a weight transform such as `targetEss(0.5)`, which needs a weighting before it:
 * `compose(inverseDensity(), targetEss(0.5))`.
 */
export async function densityAwareSampler<Prompt>(
  prompts: readonly Prompt[],
  options: DensityAwareOptions<PromptItem<Prompt>>,
): Promise<DensityAwareSampler<Prompt>> {
  const {
    seed,
    estimator = knnDistance(),
    weighting = inverseDensity(),
    ...work
  } = checkOptions(options, optionNames, 'densityAwareSampler');
  checkSeed(seed);
  checkEmbedder(work.embedder, 'densityAwareSampler');
  checkItemArray(prompts, 'densityAwareSampler');
  const { density, weights, report } = await weighPrompts(promptItems(prompts), { ...work, estimator, weighting });
  // Assigned and not spread: weightsVersion is a getter.
  return Object.assign(weightedSampler(weights, { seed }), { prompts, estimator, weighting, density, report });
}
