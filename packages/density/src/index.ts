/**
 * How crowded each prompt is, and the weight that follows from it.
 *
 * - An estimator measures density, leave-one-out: {@link knnDistance}, {@link knnSimilarity}, {@link kernelDensity},
 *   {@link raceDensity}, {@link clusterDensity}. A larger density means a more crowded prompt.
 * - A weighting turns densities into weights: {@link inverseDensity}, and {@link compose} for transforms of its weights.
 * - {@link weighPrompts} does all of it: embeds prompts, estimates densities, makes weights and reports what they do to the draws.
 * - {@link densityReport} describes one weighting; {@link agreementReport} compares two.
 */
export { type AgreementReport, agreementReport, sideBySide, spearman, type WeighedRows } from './agreement.js';
export { type ClusterDensity, type ClusterDensityOptions, clusterDensity } from './estimators/cluster-density.js';
export {
  type SphericalClusters,
  type SphericalKMeansOptions,
  sphericalKMeans,
} from './estimators/clusters/spherical-k-means.js';
export type { KernelDensityOptions, KernelName } from './estimators/kernel/kernels.js';
export { type KernelDensity, kernelDensity } from './estimators/kernel-density.js';
export { type KnnDistanceOptions, type KnnSimilarityOptions, knnDistance, knnSimilarity } from './estimators/knn.js';
export type { RaceDensityOptions } from './estimators/race/options.js';
export { type RaceDensity, raceDensity } from './estimators/race-density.js';
export { lowestPositions, rarestPositions } from './numeric/lowest-positions.js';
export { type DensityReport, densityReport } from './report.js';
export {
  type EmbeddedPromptWeights,
  type PromptWeights,
  type WeighOptions,
  type WeighPromptsOptions,
  weighPrompts,
} from './weigh-prompts.js';
export { type InverseDensityOptions, inverseDensity } from './weighting/inverse-density.js';
export { cap, compose, mixUniform, targetEss, weightTransform } from './weighting/transforms.js';
export { effectiveSampleSize } from './weighting/weights.js';
