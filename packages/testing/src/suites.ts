import { densityEstimatorChecks } from './checks/density-estimator-checks.js';
import { embedderChecks } from './checks/embedder-checks.js';
import { exporterChecks } from './checks/exporter-checks.js';
import { neighborIndexChecks } from './checks/neighbor-index-checks.js';
import { projectorChecks } from './checks/projector-checks.js';
import { samplerChecks } from './checks/sampler-checks.js';

/** The suite of checks for every kind of component, by `kind`. */
export const suites = {
  embedder: embedderChecks,
  'neighbor-index': neighborIndexChecks,
  'density-estimator': densityEstimatorChecks,
  sampler: samplerChecks,
  projector: projectorChecks,
  exporter: exporterChecks,
} as const;

export type ComponentKind = keyof typeof suites;
