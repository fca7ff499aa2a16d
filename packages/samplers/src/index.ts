/**
 * Samplers: endless or finite streams of positions that can be resumed from a small state.
 *
 * - Draw n depends only on the seed, n and the weights in force, so any number of processes and batch sizes sees the same stream.
 * - With replacement: {@link weightedSampler}, whose weights may change, {@link frozenWeightedSampler}, {@link uniformSampler} and
 *   {@link densityAwareSampler}, which weighs prompts by density. Without replacement: {@link subsetSampler}.
 * - {@link mixtureSampler} and {@link shard} build on other samplers; {@link curriculum} learns from rewards.
 * - Weight updates arrive as streams: {@link densityUpdates} makes them, {@link combineUpdates} joins those of several sources, and
 *   {@link followUpdates} applies them.
 * - Samplers are iterable: `for (const position of sampler)`.
 * - The structures below the samplers are useful alone: {@link sumTree}, {@link aliasTable}, {@link drawWithoutReplacement}.
 */
export { type BalancedDraw, drawBalanced } from './balanced-draw.js';
export { type CombineUpdatesOptions, combineUpdates, type UpdateSource } from './combine-updates.js';
export { type Curriculum, type CurriculumOptions, curriculum } from './curriculum.js';
export { type DensityAwareOptions, type DensityAwareSampler, densityAwareSampler } from './density-aware.js';
export { type DensityUpdatesOptions, densityUpdates, type UpdatedSampler } from './density-updates.js';
export { type FarthestFirst, type FarthestFirstOptions, farthestFirst } from './farthest-first.js';
export { type FollowUpdatesOptions, followUpdates } from './follow-updates.js';
export {
  type FrozenWeightedSampler,
  type FrozenWeightedSamplerOptions,
  frozenWeightedSampler,
} from './frozen-weighted.js';
export { type MixturePart, type MixtureSamplerOptions, mixtureSampler } from './mixture.js';
export type { PromptItem } from './prompt-items.js';
export { type ShardOptions, shard } from './shard.js';
export { type AliasTable, aliasTable } from './structures/alias-table.js';
export { drawWithoutReplacement } from './structures/exponential-keys.js';
export { estimatedInclusion, inclusionProbabilities } from './structures/inclusion-probabilities.js';
export { type SampleStreamOptions, sampleStream } from './structures/sample-stream.js';
export { type SumTree, sumTree } from './structures/sum-tree.js';
export { type SubsetSampler, type SubsetSamplerOptions, subsetSampler } from './subset.js';
export { type UniformSampler, type UniformSamplerOptions, uniformSampler } from './uniform.js';
export type { UpdateReports } from './update-reports.js';
export {
  type WeightAddition,
  type WeightedSampler,
  type WeightedSamplerOptions,
  type WeightRemoval,
  weightedSampler,
} from './weighted.js';
