import { type CallOptions, checkSeed, type DensityEstimator, type Embedder, type Weighting } from '@rarefy/core';
import { type DensityReport, knnDistance, weighPrompts } from '@rarefy/density';
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
 * @throws InvalidArgumentError if the seed is not a safe integer.
 */
export async function densityAwareSampler<Item>(
  prompts: readonly Item[],
  { density: estimator = knnDistance(), seed, ...options }: DensityAwareOptions<Item>,
): Promise<DensityAwareSampler> {
  checkSeed(seed);
  const { density, weights, report, fingerprint } = await weighPrompts(prompts, { ...options, estimator });
  const name = `density-aware-sampler:embedder=(${fingerprint}),density=(${estimator.fingerprint})`;
  // Assigned and not spread: weightsVersion is a getter.
  return Object.assign(weightedSampler(weights, { seed, name }), { density, report });
}
