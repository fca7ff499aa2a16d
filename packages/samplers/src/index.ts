export { type BalancedDraw, drawBalanced } from './balanced-draw.js';
export { type Curriculum, type CurriculumOptions, curriculum } from './curriculum.js';
export { type DensityAwareOptions, type DensityAwareSampler, densityAwareSampler } from './density-aware.js';
export { type DensityUpdatesOptions, densityUpdates } from './density-updates.js';
export { type FarthestFirst, type FarthestFirstOptions, farthestFirst } from './farthest-first.js';
export { type FollowUpdatesOptions, followUpdates } from './follow-updates.js';
export { type MixturePart, type MixtureSamplerOptions, mixtureSampler } from './mixture.js';
export { type ShardOptions, shard } from './shard.js';
export { type AliasTable, aliasTable } from './structures/alias-table.js';
export { estimatedInclusion } from './structures/estimated-inclusion.js';
export { drawWithoutReplacement } from './structures/exponential-keys.js';
export { inclusionProbabilities } from './structures/inclusion-probabilities.js';
export { type SampleStreamOptions, sampleStream } from './structures/sample-stream.js';
export { type SumTree, sumTree } from './structures/sum-tree.js';
export { type SubsetSampler, type SubsetSamplerOptions, subsetSampler } from './subset.js';
export { type UniformSampler, type UniformSamplerOptions, uniformSampler } from './uniform.js';
export {
  type WeightAddition,
  type WeightedSampler,
  type WeightedSamplerOptions,
  type WeightRemoval,
  weightedSampler,
} from './weighted.js';
