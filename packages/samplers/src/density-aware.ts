import {
  type CallOptions,
  callOptionNames,
  checkEmbedder,
  checkItemList,
  checkOptions,
  checkSeed,
  type DensityEstimator,
  type Embedder,
  type Weighting,
} from '@rarefy/core';
import { type DensityReport, knnDistance, weighPrompts } from '@rarefy/density';
import { type PromptItem, promptItems } from './prompt-items.js';
import { type WeightedSampler, weightedSampler } from './weighted.js';

export interface DensityAwareOptions<Item> extends CallOptions {
  readonly embedder: Embedder<Item>;
  /** Default `knnDistance({ k: 10 })`. */
  readonly density?: DensityEstimator;
  /** From density to weight. Default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /** Any safe integer. */
  readonly seed: number;
  /** Prompts per batch of the embedder. Default 32. */
  readonly batchSize?: number;
}

const optionNames = [
  'embedder',
  'density',
  'weighting',
  'seed',
  'batchSize',
  ...callOptionNames,
] satisfies (keyof DensityAwareOptions<unknown>)[];

/** A weighted sampler that also has the densities and the report it was built with. */
export interface DensityAwareSampler extends WeightedSampler {
  /** One value per prompt; larger is more crowded. */
  readonly density: Float64Array;
  /** What the initial weights do to the draws. */
  readonly report: DensityReport;
}

/**
 * Draws rare prompts more often: weighs the prompts with `weighPrompts` and draws with replacement, in proportion to the weights.
 * Events and errors are those of `weighPrompts`.
 *
 * Fingerprint and state are those of `weightedSampler(weights, { seed })`: a sampler rebuilt from the saved initial weights takes
 * the state, and one of other weights does not.
 * @param prompts texts, records `{ prompt }` as a loader takes them, or any other items of the embedder. Of a record, only the text
 * `prompt` is embedded.
 * @throws InvalidArgumentError if the seed is not a safe integer, an option is unknown, `embedder` is not an embedder, the prompts
 * are no list, or `weighting` is a weight transform such as `targetEss(0.5)`, which needs a weighting before it:
 * `compose(inverseDensity(), targetEss(0.5))`.
 */
export async function densityAwareSampler<Prompt>(
  prompts: readonly Prompt[],
  options: DensityAwareOptions<PromptItem<Prompt>>,
): Promise<DensityAwareSampler> {
  checkOptions(options, optionNames, 'densityAwareSampler');
  const { density: estimator = knnDistance(), seed, ...work } = options;
  checkSeed(seed);
  checkEmbedder(work.embedder, 'densityAwareSampler');
  checkItemList(prompts, 'densityAwareSampler');
  const { density, weights, report } = await weighPrompts(promptItems(prompts), { ...work, estimator });
  // Assigned and not spread: weightsVersion is a getter.
  return Object.assign(weightedSampler(weights, { seed }), { density, report });
}
