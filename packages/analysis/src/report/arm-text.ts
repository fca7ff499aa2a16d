import type { Arm, DensityWeights } from '@rarefy/experiment';

/** What an arm does, in one sentence. */
export function describeArm(arm: Arm): string {
  const { sampler, importance, reweightLoss, treatment, entropyCoef, rewardModel, estimator, embedder } = arm;
  const strength = ({ targetEss, uniformShare }: DensityWeights) =>
    `at ESS/N ${targetEss}${uniformShare ? `, and a share of ${uniformShare} uniform` : ''}`;
  const draws = {
    uniform: () => 'draws every prompt with the same probability',
    density: () => `draws rare prompts more often, ${strength(sampler as DensityWeights)}`,
    shuffled: () => `placebo: the same weights given to random prompts, ${strength(sampler as DensityWeights)}`,
  }[sampler.kind]();
  const more = [
    importance && `importance weights with exponent ${importance}${importance === 1 ? ', which correct in full' : ''}`,
    reweightLoss && `loss multiplied by density weights ${strength(reweightLoss)}`,
    treatment && `treatment ${Object.values(treatment).join(', ')}`,
    entropyCoef !== undefined && `weight of the entropy ${entropyCoef}`,
    rewardModel && `reward model from ${rewardModel === 'density' ? 'density-aware' : 'uniform'} pairs`,
    estimator && `estimator ${estimator}`,
    embedder && `embedder ${embedder}`,
  ];
  return [draws, ...more].filter(Boolean).join('; ');
}
