export { type AgreementReport, agreementReport, type WeighedRows } from './agreement/agreement-report.js';
export { spearman } from './agreement/spearman.js';
export {
  type SphericalClusters,
  type SphericalKMeansOptions,
  sphericalKMeans,
} from './clustering/spherical-k-means.js';
export { type DensityReport, densityReport } from './density-report.js';
export { type ClusterDensity, type ClusterDensityOptions, clusterDensity } from './estimators/cluster-density.js';
export { type KernelDensity, kernelDensity } from './estimators/kernel-density.js';
export { type KnnDistanceOptions, knnDistance } from './estimators/knn-distance.js';
export { type KnnSimilarityOptions, knnSimilarity } from './estimators/knn-similarity.js';
export { type RaceDensity, raceDensity } from './estimators/race-density.js';
export type { KernelDensityOptions } from './kernel/kernel-options.js';
export type { KernelName } from './kernel/kernel-value.js';
export { lowestPositions } from './lowest-positions.js';
export type { RaceDensityOptions } from './race/race-options.js';
export { rarestPositions } from './rarest-positions.js';
export {
  type DensityOfOptions,
  densityOf,
  type EmbeddedDensity,
  type EmbeddedPromptWeights,
  type PromptWeights,
  type WeighOptions,
  type WeighPromptsOptions,
  weighPrompts,
} from './weigh-prompts.js';
export { cap } from './weighting/cap.js';
export { compose } from './weighting/compose.js';
export { effectiveSampleSize } from './weighting/effective-sample-size.js';
export { type InverseDensityOptions, inverseDensity } from './weighting/inverse-density.js';
export { mixUniform } from './weighting/mix-uniform.js';
export { targetEss } from './weighting/target-ess.js';
