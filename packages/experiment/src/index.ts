/**
 * Experiments that compare ways of training.
 *
 * - {@link defineExperiment} checks what to compare: {@link Arm}s as data, of which {@link armSets} has those of common questions,
 *   a start model, prompts and held-out prompts in strata, rewards, and what makes an answer good.
 * - {@link runExperiment} writes the plan before the first run, and trains every run that is missing, in other processes with
 *   {@link childProcesses}; {@link trainRun} trains one. Runs resume, and none is trained twice.
 * - {@link measure} turns the answers of a run into one value per measure and stratum, at equal budgets of answers and words:
 *   {@link measureCatalog}, {@link wordBudgets}.
 * - {@link readExperiment} reads what the runs left. `@rarefy/analysis` makes a report of it, with the tests of
 *   `@rarefy/statistics`.
 */
export {
  type Arm,
  type ArmSampler,
  type ArmTreatment,
  checkArms,
  type DensityWeights,
} from './arms/arm.js';
export { armSets, armsNamed } from './arms/arm-sets.js';
export { type ArmWeights, type ArmWeightsOptions, armWeights } from './arms/arm-weights.js';
export { defineExperiment } from './experiment/define-experiment.js';
export type {
  Experiment,
  ExperimentEvaluation,
  ExperimentTraining,
  HeldOutPrompt,
  Judgment,
  RarityCheck,
  StartGates,
} from './experiment/experiment.js';
export { densityName } from './experiment/shared-settings.js';
export { goodAnswers, medianReward, type StratifiedPrompt } from './measures/graded-answers.js';
export {
  type DecileValue,
  type MeasureOptions,
  measure,
  measureByDensityDecile,
  perPromptValues,
} from './measures/measure.js';
export {
  embeddingMeasures,
  type MeasuredValues,
  type MeasureInfo,
  measureCatalog,
  measureInfo,
  withControls,
} from './measures/measure-catalog.js';
export {
  fewestGood,
  type ShortEvaluation,
  type StratumBudget,
  type WordBudgets,
  wordBudgets,
} from './measures/word-budgets.js';
export type { Departure, Plan } from './plan/plan.js';
export { readPlan, recordLook } from './plan/plan-files.js';
export { type ChildProcessOptions, childProcesses } from './runs/child-processes.js';
export { experimentOfPrompts, type NamedEmbedder, type PromptExperiment } from './runs/experiment-of-prompts.js';
export { type ReadExperiment, readExperiment } from './runs/read-experiment.js';
export {
  ensurePlan,
  type MissingRun,
  type PlanOptions,
  type RunExperimentOptions,
  runExperiment,
} from './runs/run-experiment.js';
export type {
  EvaluatedAnswer,
  Evaluation,
  ExperimentRecord,
  RunConfig,
  RunCosts,
  RunRecord,
} from './runs/run-record.js';
export { type RunOptions, type TrainRunOptions, trainRun } from './runs/train-run.js';
