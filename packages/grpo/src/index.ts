/**
 * GRPO training in TensorFlow.js, fed by any sampler.
 *
 * - {@link grpoLoader} turns draws of a sampler into batches of prompts; its state resumes the stream exactly.
 * - {@link rollout} generates the completions of a batch, {@link serverRollouts} gets them from a server, or
 *   {@link recordedGroups} takes recorded answers, and a {@link RewardFunction} scores them. {@link groupAdvantages} compares the
 *   completions of one prompt.
 * - A {@link PolicyLoss} turns advantages into a loss: {@link dapoLoss} or {@link grpoLoss}, as in TRL.
 * - {@link trainGrpo} runs these parts with checkpoints. `trainRewardModel` of `@rarefy/training` trains the model behind
 *   {@link rewardModelReward}.
 * - A logger of `@rarefy/training`, such as `jsonlLogger`, receives the metrics of every step under TRL's names;
 *   {@link jsonlCompletions} the completions. {@link readDraws} reads what was drawn.
 */
export { type CompletionLogger, type CompletionRecord, jsonlCompletions } from './completion-logger.js';
export {
  drawShare,
  type EvaluatePolicyOptions,
  evaluatePolicy,
  heldOutPositions,
  type PolicyEvaluation,
  policyEvaluator,
} from './evaluation/evaluate-policy.js';
export { type RunDraws, readDraws } from './loader/draws-file.js';
export {
  type GrpoLoader,
  grpoLoader,
  type LoaderOptions,
  type LoaderState,
  type PromptBatch,
  type PromptRows,
  promptRows,
} from './loader/grpo-loader.js';
export { type Importance, importanceWeights } from './loader/importance.js';
export type { BatchDataset, DatasetOptions } from './loader/to-dataset.js';
export {
  type GroupAdvantageOptions,
  type GroupAdvantages,
  groupAdvantages,
  normalizedRewardAdvantages,
  type RewardAggregation,
  type ScaleRewards,
} from './losses/advantages.js';
export type { BatchTotals, PolicyBatch } from './losses/policy-batch.js';
export type { AdaptiveEntropy, PolicyLoss, PolicyLossOptions } from './losses/policy-loss.js';
export {
  type CispoLossOptions,
  type ClippedLossOptions,
  cispoLoss,
  dapoLoss,
  drGrpoLoss,
  grpoLoss,
  luspoLoss,
  policyLosses,
  type SapoLossOptions,
  sapoLoss,
  type VespoLossOptions,
  vespoLoss,
} from './losses/policy-losses.js';
export {
  type SamplingCorrection,
  type SamplingCorrectionMode,
  samplingRatio,
} from './losses/sampling-correction.js';
export type { ReferenceSync } from './reference-sync.js';
export {
  lengthReward,
  type RewardModelRewardOptions,
  recordedReward,
  rewardModelReward,
} from './rewards/built-in-rewards.js';
export { type HttpRewardOptions, httpReward } from './rewards/http-reward.js';
export {
  combineRewards,
  type NamedReward,
  type RewardFunction,
  type RewardInput,
  type RewardOptions,
  type RewardScores,
  type RewardValues,
  scoreCompletions,
} from './rewards/reward-function.js';
export {
  type CompletionBatch,
  type CompletionLogProbabilityOptions,
  completionLogProbabilities,
  completionLogProbabilitiesAndEntropies,
} from './rollout/completion-log-probabilities.js';
export {
  type RecordedAnswer,
  type RecordedGroups,
  type RecordedPrompt,
  recordedGroups,
  recordedPairs,
} from './rollout/recorded-groups.js';
export { type Completion, type Rollout, type RolloutOptions, type RolloutPrompt, rollout } from './rollout/rollout.js';
export { policyRollouts, type RolloutPolicy, type RolloutSource, type RolloutStep } from './rollout/rollout-source.js';
export type { WeightHandover } from './rollout/served-weights.js';
export { type ServerRolloutsOptions, serverRollouts } from './rollout/server-rollouts.js';
export { sglangReload, vllmReload, type WeightReload, type WeightReloadOptions } from './rollout/weight-reloads.js';
export { type GrpoTrainingOptions, type GrpoTrainingResult, trainGrpo } from './trainer.js';
export {
  type CompletionDensityOptions,
  completionDensity,
  type FocalDifficultyOptions,
  focalDifficulty,
  type InverseProbabilityOptions,
  inverseProbability,
} from './treatments/diversity-treatments.js';
export type { TreatedBatch, Treatment } from './treatments/treatment.js';
