import { densityEstimatorChecks } from './checks/density-estimator-checks.js';
import { embedderChecks } from './checks/embedder-checks.js';
import { exporterChecks } from './checks/exporter-checks.js';
import { forwardModelChecks } from './checks/forward-model-checks.js';
import { loaderChecks } from './checks/loader-checks.js';
import { loggerChecks } from './checks/logger-checks.js';
import { neighborIndexChecks } from './checks/neighbor-index-checks.js';
import { projectorChecks } from './checks/projector-checks.js';
import { samplerChecks } from './checks/sampler-checks.js';

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
} as const;

export type ComponentKind = keyof typeof suites;

/** What the subject of a suite holds, for programs that build one from what a file exports. */
export interface SubjectMembers {
  /** Arguments of `create`; what it returns. */
  readonly create: string;
  /** The other members, all optional, by name: what each is for. Members of components (`variants`, `fingerprint`) are left out. */
  readonly optional: Readonly<Record<string, string>>;
}

/** What the suite of every kind needs. */
export const subjectMembers: Readonly<Record<ComponentKind, SubjectMembers>> = {
  embedder: {
    create: '() => Embedder',
    optional: { texts: 'texts that the embedder is made for, at least three', countTensors: '() => tensors in memory' },
  },
  'neighbor-index': { create: '() => NeighborIndex, empty', optional: {} },
  'density-estimator': {
    create: '() => DensityEstimator, for 100 rows',
    optional: {
      scalePower: 'power p such that points times s give densities times s ** p',
      adapts: 'true if a fit derives parameters from the points',
    },
  },
  sampler: {
    create: '() => Sampler',
    optional: { size: 'number of positions', fromWeights: '(weights) => Sampler that follows these weights' },
  },
  projector: { create: '() => Projector, for 90 rows', optional: {} },
  exporter: { create: '() => Exporter', optional: { read: '(files by path) => the view that they hold' } },
  loader: {
    create: '(prompts, { sampler, batchSize, groupSize, prefetch?, signal? }) => Loader',
    optional: { rows: '(batch) => rows of a training step', countTensors: '() => tensors in memory' },
  },
  'metric-logger': {
    create: '() => { logger, read }; read() returns the steps written so far',
    optional: { precision: 'largest relative error of a value that is read back' },
  },
  'forward-model': {
    create: '() => { forward, head, tensor, parameters?, gradientNorms? }',
    optional: { tolerance: 'largest relative difference between equal outputs' },
  },
};
