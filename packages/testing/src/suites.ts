import { densityEstimatorChecks } from './checks/density-estimator-checks.js';
import { embedderChecks } from './checks/embedder-checks.js';
import { exporterChecks } from './checks/exporter-checks.js';
import { forwardModelChecks } from './checks/forward-model-checks.js';
import { loaderChecks } from './checks/loader-checks.js';
import { loggerChecks } from './checks/logger-checks.js';
import { neighborIndexChecks } from './checks/neighbor-index-checks.js';
import { projectorChecks } from './checks/projector-checks.js';
import { samplerChecks } from './checks/sampler-checks.js';
import type { ComponentKind } from './subject-members.js';

/** The suite of checks for every kind of component. Components have their `kind`; loaders, loggers and models do not. */
export const suites = {
  embedder: embedderChecks,
  'neighbor-index': neighborIndexChecks,
  'density-estimator': densityEstimatorChecks,
  sampler: samplerChecks,
  projector: projectorChecks,
  exporter: exporterChecks,
  loader: loaderChecks,
  'metric-logger': loggerChecks,
  'forward-model': forwardModelChecks,
} as const satisfies Readonly<Record<ComponentKind, unknown>>;
