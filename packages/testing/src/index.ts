/**
 * Conformance checks for Rarefy components, and simple reference implementations.
 *
 * - A suite such as {@link samplerChecks} takes a {@link Subject}, which makes the component, and returns {@link Check}s.
 * - {@link runChecks} runs them without a test runner; `describeChecks` of `@rarefy/testing/vitest` makes them vitest tests.
 * - A check that needs something the component does not support is skipped and says what it needs.
 * - Reference implementations, such as {@link naiveIndex}, are slow and short, so that readers can verify them.
 */
export {
  type Check,
  CheckFailedError,
  type CheckOptions,
  type CheckReport,
  type CheckResult,
  type Requirement,
  type RunOptions,
  runChecks,
} from './check.js';
export { densityEstimatorChecks } from './checks/density-estimator-checks.js';
export { embedderChecks } from './checks/embedder-checks.js';
export { exporterChecks } from './checks/exporter-checks.js';
export { forwardModelChecks } from './checks/forward-model-checks.js';
export { loaderChecks } from './checks/loader-checks.js';
export { loggerChecks } from './checks/logger-checks.js';
export { neighborIndexChecks } from './checks/neighbor-index-checks.js';
export { projectorChecks } from './checks/projector-checks.js';
export { samplerChecks } from './checks/sampler-checks.js';
export { landmarkProjector } from './reference/landmark-projector.js';
export { letterEmbedder } from './reference/letter-embedder.js';
export { naiveDensity } from './reference/naive-density.js';
export { naiveExporter } from './reference/naive-exporter.js';
export { naiveDistance, naiveIndex } from './reference/naive-index.js';
export { naiveLoader } from './reference/naive-loader.js';
export { clusters, normalPoints, rowsOf } from './reference/points.js';
export { type DeckOptions, deckSampler, rouletteSampler } from './reference/samplers.js';
export { trustworthiness } from './reference/trustworthiness.js';
export { type ComponentKind, type SubjectMembers, subjectMembers } from './subject-members.js';
export type {
  DensitySubject,
  EmbedderSubject,
  ExportedFiles,
  ExporterSubject,
  ForwardModelSubject,
  ForwardModelUnderTest,
  LoaderSetting,
  LoaderSubject,
  LoggedStep,
  LoggerSubject,
  LoggerUnderTest,
  SamplerSubject,
  Subject,
  TestedTensor,
} from './subjects.js';
export { suites } from './suites.js';
