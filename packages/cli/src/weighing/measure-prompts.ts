import type { CallOptions, DensityEstimator } from '@rarefy/core';
import { type AgreementReport, agreementReport, type KernelDensity } from '@rarefy/density';
import { type PromptSource, promptDensity } from '../models/prompt-density.js';
import { type WeightingValues, weightingOf } from '../training/weighting-options.js';
import type { EngineName, EstimatorName, EstimatorValues } from './estimator-options.js';
import { engineDetails } from './neighbor-engine.js';
import { type OpenEstimator, openEstimator } from './open-estimator.js';
import { sideBySide } from './side-by-side.js';

export interface MeasureValues extends PromptSource, EstimatorValues, Omit<WeightingValues, 'k'> {
  readonly eps: number | undefined;
  readonly compare: EstimatorName | undefined;
  readonly compareNeighbors: EngineName | undefined;
}

/** How two ways to weigh the prompts agree. */
export interface Agreement extends AgreementReport {
  /** The other way, for a terminal. */
  readonly name: string;
  readonly against: Readonly<Record<string, unknown>>;
}

/** Densities and weights of prompts, and of another estimator or neighbour search, when one is to be compared with. */
export async function measurePrompts(values: MeasureValues, options: CallOptions) {
  const { compare, compareNeighbors, eps } = values;
  const own = await openEstimator(values);
  const isCompared = compare !== undefined || compareNeighbors !== undefined;
  const other = isCompared
    ? await openEstimator({
        ...values,
        estimator: compare ?? values.estimator,
        neighbors: compareNeighbors ?? values.neighbors,
      })
    : undefined;
  const weighting = await weightingOf(values, eps ?? own.epsilon);
  const otherWeighting = await weightingOf(values, eps ?? other?.epsilon);
  const both = other && sideBySide(own.estimator, other.estimator);
  const { ids, density } = await promptDensity(values, both ?? own.estimator, options);
  const weights = weighting(density);
  let agreement: Agreement | undefined;
  if (other && both?.otherDensity) {
    const theirs = { density: both.otherDensity, weights: otherWeighting(both.otherDensity) };
    const name = [other.name, ...(other.engine ? [other.engine.name] : [])].join(', ');
    agreement = { name, against: detailsOf(other), ...agreementReport({ density, weights }, theirs) };
  }
  return { ids, density, weights, details: detailsOf(own), agreement };
}

function detailsOf({ estimator, engine }: OpenEstimator) {
  const { fingerprint, bandwidth } = estimator as DensityEstimator & Partial<Pick<KernelDensity, 'bandwidth'>>;
  return {
    estimator: fingerprint,
    ...(bandwidth && { bandwidth }),
    ...(engine && { neighbors: engineDetails(engine) }),
  };
}
