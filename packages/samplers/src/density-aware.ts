import {
  type CallOptions,
  type DensityEstimator,
  type Embedder,
  InvalidArgumentError,
  type Weighting,
} from '@rarefy/core';
import { type DensityReport, densityOf, densityReport, inverseDensity, knnDistance } from '@rarefy/density';
import { type WeightedSampler, weightedSampler } from './weighted.js';

export interface DensityAwareOptions<Item> extends CallOptions {
  readonly embedder: Embedder<Item>;
  /** Default `knnDistance({ k: 10 })`. */
  readonly density?: DensityEstimator;
  /** From density to weight; default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /** Any safe integer. */
  readonly seed: number;
  /** Prompts embedded at a time; default 32. */
  readonly batchSize?: number;
}

/** A weighted sampler that knows how crowded each prompt's neighbourhood was when it was built. */
export interface DensityAwareSampler extends WeightedSampler {
  /** One a prompt; larger is more crowded. */
  readonly density: Float64Array;
  /** What the initial weights do to the draws. */
  readonly report: DensityReport;
}

/**
 * Draws rare prompts more often: embeds the prompts, measures each one's density among the others, weighs, and draws with
 * replacement in proportion to the weights. Warnings of the report are `work-warning` events of task `weigh`.
 *
 * Rejects with what embedding, density and weighting throw: InvalidArgumentError for too few prompts for the density,
 * ShapeError when the density estimator breaks its contract, the signal's reason on abort.
 */
export async function densityAwareSampler<Item>(
  prompts: readonly Item[],
  options: DensityAwareOptions<Item>,
): Promise<DensityAwareSampler> {
  const { embedder, density: estimator = knnDistance(), weighting = inverseDensity(), seed, ...work } = options;
  if (prompts.length === 0) throw new InvalidArgumentError('there are no prompts to draw from; give at least two');
  const { density, fingerprint } = await densityOf(prompts, { embedder, estimator, ...work });
  const weights = weighting(density);
  const report = densityReport(density, weights);
  for (const message of report.warnings)
    work.onEvent?.({ type: 'work-warning', task: 'weigh', code: 'weights', message });
  const name = `density-aware-sampler:embedder=(${fingerprint}),density=(${estimator.fingerprint})`;
  // Assigned and not spread: weightsVersion is a getter.
  return Object.assign(weightedSampler(weights, { seed, name }), { density, report });
}
