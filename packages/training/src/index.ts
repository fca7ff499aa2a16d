/**
 * Training of language models and reward models in TensorFlow.js.
 *
 * - Training is a {@link TrainingTask} run by {@link trainWithCheckpoints}: {@link adamW}, a {@link learningRateSchedule}, and
 *   checkpoints from which a killed run resumes exactly. The GRPO trainer of `@rarefy/grpo` is such a task too.
 * - {@link trainLanguageModel} trains on texts or on answers, {@link trainRewardModel} on pairs of answers, of which one is
 *   preferred; {@link evaluateRewardModel} measures the result.
 * - A logger, such as {@link jsonlLogger} or {@link tensorBoardLogger}, receives the metrics of every step.
 */
export {
  answerExamples,
  concatenated,
  type ExamplesAt,
  shuffled,
  type TrainingExample,
  windows,
} from './language-model/examples.js';
export { type LanguageModelTrainingOptions, trainLanguageModel } from './language-model/train-language-model.js';
export { combineLoggers, consoleLogger } from './loggers/basic-loggers.js';
export { type JsonlFile, openJsonlFile } from './loggers/jsonl-file.js';
export { type FileLoggerOptions, fileLoggerOptionNames, jsonlLogger } from './loggers/jsonl-logger.js';
export { tensorBoardLogger } from './loggers/tensorboard-logger.js';
export { type AdamW, type AdamWOptions, type AdamWState, adamW } from './optimizer/adamw.js';
export { accumulateGradients, type Gradients } from './optimizer/gradients.js';
export { learningRateSchedule, type Schedule, type ScheduleType } from './optimizer/schedule.js';
export {
  type EvaluateRewardModelOptions,
  evaluateRewardModel,
  type RewardModelEvaluation,
} from './reward-model/evaluate-reward-model.js';
export type { HeldOutOptions } from './reward-model/held-out.js';
export { type PreferencePair, pairWeights, type SplitPairs, splitPairs } from './reward-model/pair-rows.js';
export { type PreferenceLossOptions, preferenceLoss } from './reward-model/preference-loss.js';
export {
  type RewardModelTrainingOptions,
  type RewardModelTrainingResult,
  trainRewardModel,
} from './reward-model/train-reward-model.js';
export { checkRunFile, type RunFile, writeRunFile } from './run/run-file.js';
export type { RunSettings } from './run/run-settings.js';
export {
  type CheckpointOptions,
  type Evaluate,
  type StepMetrics,
  type StepReview,
  type TrainingOptions,
  type TrainingRun,
  type TrainingTask,
  trainingOptionNames,
  trainWithCheckpoints,
} from './run/train-with-checkpoints.js';
export { latestCheckpoint } from './run/training-checkpoint.js';
