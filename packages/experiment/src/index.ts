/**
 * Experiments that compare ways of training: the arms, and the statistics of their runs. Pure functions.
 *
 * The run is the unit everywhere: arms are assigned to runs, so a measure enters as one value per run. Prompts and answers within
 * a run are not independent of each other; treating them as units finds effects that are differences between seeds.
 *
 * - **Is there a difference?** {@link permutationTest}; {@link signFlipTest} if runs are paired and {@link pairingCorrelation}
 *   shows that pairs help; {@link holm} for several measures.
 * - **How large is it?** {@link effectSize}, {@link stratifiedBootstrap}.
 * - **What could have been found?** {@link minimumDetectableEffect}, {@link runsNeeded}.
 * - **What to buy more of?** {@link varianceComponents}, {@link runMeanVariance}.
 * - **Measures.** {@link measure} computes every measure of an evaluation by stratum, at the budgets of {@link wordBudgets};
 *   {@link measureCatalog} describes them, and {@link withControls} adds those that must stand beside them.
 * - **Arms.** An {@link Arm} is data; {@link armSets} has those of common questions, and {@link armWeights} what an arm does to the
 *   draws and to the loss.
 * - **Report.** {@link reportPage} makes one HTML file of a report.
 */
export { type AnalyzeInput, analyze } from './analysis/analyze.js';
export { type ChecksInput, checksOf, type RunFacts } from './analysis/checks.js';
export {
  collapseOf,
  type EffectsInput,
  effectsOf,
  type PromptValues,
  type TestPlan,
} from './analysis/effects.js';
export { embedAnswers } from './analysis/embed-answers.js';
export { type MeasurePower, type PilotValues, type PlanPowerOptions, planPower } from './analysis/plan-power.js';
export { plannedTreatment } from './analysis/planned-draws.js';
export type {
  AnswersSideBySide,
  ByDecile,
  Check,
  Collapse,
  Curve,
  DrawsByRarity,
  Effect,
  ExperimentReport,
  VarianceSplit,
  Verdict,
} from './analysis/report.js';
export { reportFiles } from './analysis/report-files.js';
export type { RunValues } from './analysis/run-values.js';
export { type ArmDraws, decileShares, type Treatment, verifyTreatment } from './analysis/treatment.js';
export { type VerdictInput, verdictOf } from './analysis/verdict.js';
export {
  type Arm,
  type ArmSampler,
  type ArmTreatment,
  checkArms,
  type DensityWeights,
} from './arms/arm.js';
export { armSets } from './arms/arm-sets.js';
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
export { holdOut } from './experiment/hold-out.js';
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
export { reportPage } from './report/report-page.js';
export { type ChildProcessOptions, childProcesses } from './runs/child-processes.js';
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
export {
  type Bootstrap,
  type BootstrapOptions,
  stratifiedBootstrap,
} from './statistics/bootstrap.js';
export { type EffectSize, type EffectSizeOptions, effectSize, type Interval } from './statistics/effect-size.js';
export { holm } from './statistics/holm.js';
export {
  type Alternative,
  pairingCorrelation,
  permutationTest,
  type ResamplingTest,
  type ResamplingTestOptions,
  signFlipTest,
} from './statistics/permutation.js';
export {
  type DetectableOptions,
  minimumDetectableEffect,
  type PowerOptions,
  type RunsOptions,
  runsNeeded,
} from './statistics/power.js';
export {
  runMeanVariance,
  type VarianceComponent,
  type VarianceComponents,
  varianceComponents,
} from './statistics/variance-components.js';
