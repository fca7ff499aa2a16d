import { checkOptions, checkSeed, checkWeighting, counterRandom, type Weighting } from '@rarefy/core';
import { compose, inverseDensity, mixUniform, targetEss } from '@rarefy/density';
import { checkValues } from '@rarefy/statistics';
import { type Arm, checkArm, type DensityWeights } from './arm.js';

export interface ArmWeightsOptions {
  /** From density to weight, before `targetEss`; default `inverseDensity()`. */
  readonly weighting?: Weighting;
  /** Which prompt gets which weight of a `shuffled` sampler. Any safe integer; default 0. */
  readonly seed?: number;
}

/** What an arm does to the draws and to the loss, as `weightedSampler` and `grpoLoader` take it. */
export interface ArmWeights {
  /** Unnormalized probability of a draw of each prompt. */
  readonly weights: Float64Array;
  /** Option `importance` of `grpoLoader`. */
  readonly importance: 'none' | { readonly beta: number };
  /** Option `target` of `grpoLoader`: probabilities that the loss is reweighted to. Undefined means uniform. */
  readonly target?: Float64Array;
}

const optionNames = ['weighting', 'seed'] satisfies (keyof ArmWeightsOptions)[];

/**
 * The weights with which an arm draws prompts, and the importance weights of its loss. Deterministic: all runs of an arm that get
 * the same densities and seed draw with the same weights.
 *
 * Shuffled weights are a random permutation of those of a `density` sampler, so they have exactly the same ESS/N. A reweighted loss
 * is an importance weight p / q whose target p is the density-aware distribution, where q is uniform: in expectation, its
 * gradient is that of density-aware draws.
 * @param density one per prompt, such as `density` of `weighPrompts`; larger is more crowded
 * @throws InvalidArgumentError if the arm is not valid, an option is unknown, or the target ESS/N is out of reach, as for equal
 *   densities; NotFiniteError for a density that is NaN or infinite, and InvalidWeightsError for one of 0.
 */
export function armWeights(arm: Arm, density: ArrayLike<number>, options: ArmWeightsOptions = {}): ArmWeights {
  checkArm(arm);
  const { weighting = inverseDensity(), seed = 0 } = checkOptions(options, optionNames, 'armWeights');
  checkWeighting(weighting);
  checkSeed(seed);
  checkValues('density', density, 1);
  const densities = Float64Array.from(density);
  const weigh = ({ targetEss: share, uniformShare = 0 }: DensityWeights) =>
    compose(weighting, targetEss(share), mixUniform(uniformShare))(densities);

  const { sampler, importance = 0, reweightLoss } = arm;
  if (reweightLoss) {
    return { weights: evenly(densities.length), importance: { beta: 1 }, target: normalized(weigh(reweightLoss)) };
  }
  if (sampler.kind === 'uniform') return { weights: evenly(densities.length), importance: 'none' };
  const weights = weigh(sampler);
  return {
    weights: sampler.kind === 'shuffled' ? shuffled(weights, seed) : weights,
    importance: importance === 0 ? 'none' : { beta: importance },
  };
}

function evenly(count: number): Float64Array {
  return new Float64Array(count).fill(1);
}

function normalized(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Fisher-Yates. */
function shuffled(weights: Float64Array, seed: number): Float64Array {
  const random = counterRandom(seed);
  const result = weights.slice();
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random.uniform(last) * (last + 1));
    const weight = result[last]!;
    result[last] = result[other]!;
    result[other] = weight;
  }
  return result;
}
