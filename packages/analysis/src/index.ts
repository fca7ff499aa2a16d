/**
 * Reads the finished runs of an experiment: effects, checks, a verdict in plain words, and the report as a page.
 *
 * - {@link analyze} turns the record of an experiment into an {@link ExperimentReport}; {@link reportPage} makes one page of it,
 *   and {@link reportFiles} JSON and CSV.
 * - The decision is made on plain numbers, so it can be simulated: {@link effectsOf}, {@link collapseOf}, {@link checksOf},
 *   {@link verdictOf}.
 * - {@link verifyTreatment} asks whether the draws went to rare prompts by a rarity that the sampler did not define;
 *   {@link plannedTreatment} does so before training.
 * - {@link planPower} plans the number of runs from a pilot.
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
export { plannedTreatment, warnOfTreatment } from './analysis/planned-draws.js';
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
export { reportPage } from './report/report-page.js';
export { planLines, powerTable, primaryTable, rareDrawsTable } from './report/text-tables.js';
