import { type DensityEstimator, InvalidArgumentError } from '@rarefy/core';
import type { KernelDensity } from '@rarefy/density';
import { checkApplies } from '../shell/check-options.js';
import { choice, integer, number } from '../shell/define-option.js';
import { defined, type OptionDefinitions, type OptionValues, under } from '../shell/options.js';
import {
  checkEngineOptions,
  type EngineName,
  engineDetails,
  type NeighborEngine,
  neighborOptions,
  openNeighborEngine,
} from './neighbor-engine.js';

/** Options of the estimators, besides `--estimator`. */
const estimatorDetails = {
  k: integer('Number of nearest other prompts; default 10 for knn-distance, 20 for knn-similarity', { min: 1 }),
  kernel: choice(['gaussian', 'exponential', 'angular'], 'Shape of the kernel estimator', { default: 'gaussian' }),
  bandwidth: number('Width of the kernel; default the median distance to the 10th neighbor', { min: 0 }),
  samples: integer('kernel: sum over the k nearest prompts (20) and this many random ones, instead of all prompts', {
    min: 1,
  }),
  'race-rows': integer('race: rows of counters', { default: 1000, min: 1 }),
  hashes: integer('Power of race and of the angular kernel', { default: 4, min: 1, max: 16 }),
  clusters: integer('cluster: number of clusters; default the square root of the number of prompts', { min: 1 }),
  ...neighborOptions,
} as const satisfies OptionDefinitions;

/** @param seed of what is random: samples, hashes, clusters */
type EstimatorDetails = OptionValues<typeof estimatorDetails> & { readonly seed: number };

interface EstimatorEntry {
  /** For `--help`. */
  readonly summary: string;
  /** Names of the options that apply to it. */
  readonly takes: readonly (keyof typeof estimatorDetails | 'compare-neighbors')[];
  /** Of these, the ones that need another option which is not given: that option. */
  lacks?(values: EstimatorDetails): Readonly<Record<string, string>>;
  /** Keeps the weight finite if a density is 0: default of `--eps`. */
  readonly epsilon: number;
  open(values: EstimatorDetails): Promise<{ estimator: DensityEstimator; engine?: NeighborEngine | undefined }>;
}

/** Options of a neighbor search. */
const searching = ['neighbors', 'rows-as', 'compare-neighbors'] as const;

/** The estimators of `--estimator`. To add one, add an entry. */
const estimators = {
  'knn-distance': {
    summary: 'mean distance to the nearest prompts',
    takes: ['k', ...searching],
    epsilon: 0,
    async open(values) {
      const { knnDistance } = await import('@rarefy/density');
      const engine = await openNeighborEngine(values, 'euclidean');
      return { estimator: knnDistance({ ...defined({ k: values.k }), index: () => engine.index }), engine };
    },
  },
  'knn-similarity': {
    summary: 'mean inner product with the nearest prompts',
    takes: ['k', ...searching],
    epsilon: 1e-3,
    async open(values) {
      const { knnSimilarity } = await import('@rarefy/density');
      const engine = await openNeighborEngine(values, 'dot');
      return { estimator: knnSimilarity({ ...defined({ k: values.k }), index: () => engine.index }), engine };
    },
  },
  kernel: {
    summary: 'kernel sums over all prompts',
    takes: ['kernel', 'bandwidth', 'hashes', 'samples', 'k', ...searching],
    lacks: ({ kernel, samples }) => ({
      ...(kernel !== 'angular' && { hashes: '--kernel angular' }),
      ...(samples === undefined && Object.fromEntries(['k', ...searching].map((name) => [name, '--samples']))),
    }),
    epsilon: 1e-3,
    open: openKernel,
  },
  race: {
    summary: 'a sketch of hashes, for millions of rows',
    takes: ['race-rows', 'hashes'],
    epsilon: 1e-3,
    async open({ raceRows: rows, hashes, seed }) {
      const { raceDensity } = await import('@rarefy/density');
      return { estimator: raceDensity({ rows, hashes, seed }) };
    },
  },
  cluster: {
    summary: 'how many prompts share its cluster, and how closely',
    takes: ['clusters'],
    epsilon: 1e-3,
    async open({ clusters, seed }) {
      const { clusterDensity } = await import('@rarefy/density');
      return { estimator: clusterDensity({ ...defined({ clusters }), seed }) };
    },
  },
} as const satisfies Record<string, EstimatorEntry>;

export type EstimatorName = keyof typeof estimators;
export const estimatorNames = Object.keys(estimators) as [EstimatorName];

/** How density is measured. */
export const estimatorOptions = under('Density', {
  estimator: choice(estimatorNames, estimatorNames.map((name) => `${name}: ${estimators[name].summary}`).join('; '), {
    default: 'knn-distance',
  }),
  ...estimatorDetails,
  eps: number('Added to every density; default 0 for knn-distance, else 0.001', { min: 0 }),
} as const satisfies OptionDefinitions);

export type EstimatorValues = EstimatorDetails & OptionValues<typeof estimatorOptions>;

/**
 * @param other what the estimator is compared with
 * @throws InvalidArgumentError if a given option applies neither to the estimator nor to the other one.
 */
export function checkEstimatorOptions(
  given: ReadonlySet<string>,
  values: EstimatorValues,
  other: { readonly estimator?: EstimatorName | undefined; readonly neighbors?: EngineName | undefined } = {},
): void {
  const entries: Readonly<Record<string, EstimatorEntry>> = estimators;
  const takers = Object.fromEntries(
    Object.entries(entries).map(([name, { takes, lacks }]) => [name, { takes, lacks: lacks?.(values) }]),
  );
  const { estimator = values.estimator, neighbors = values.neighbors } = other;
  const compared = given.has('compare-neighbors') ? ['compare-neighbors'] : [];
  checkApplies(new Set(compared), 'estimator', takers, [estimator]); // it searches only for the other estimator
  checkApplies(given, 'estimator', takers, [...new Set([values.estimator, estimator])]);
  checkEngineOptions(given, ...new Set([values.neighbors, neighbors]));
}

export interface OpenEstimator {
  readonly name: EstimatorName;
  readonly estimator: DensityEstimator;
  /** Where it looks for neighbors. */
  readonly engine?: NeighborEngine | undefined;
  /** Added to every density. */
  readonly epsilon: number;
}

/** Opens the estimator that the options choose, for one fit. */
export async function openEstimator(values: EstimatorValues): Promise<OpenEstimator> {
  const { estimator: name, eps } = values;
  const { epsilon, open } = estimators[name];
  return { name, epsilon: eps ?? epsilon, ...(await open(values)) };
}

async function openKernel(values: EstimatorDetails) {
  const { kernelDensity } = await import('@rarefy/density');
  const { kernel, bandwidth, hashes, samples, k, seed } = values;
  if (kernel === 'angular' && bandwidth !== undefined) {
    throw new InvalidArgumentError('--kernel angular has no --bandwidth; set its power with --hashes.');
  }
  const shape = kernel === 'angular' ? { kernel, power: hashes } : { kernel, ...defined({ bandwidth }) };
  if (samples === undefined) return { estimator: kernelDensity(shape) };
  const engine = await openNeighborEngine(values, kernel === 'angular' ? 'cosine' : 'euclidean');
  const near = { ...defined({ k }), samples, seed, index: () => engine.index };
  return { estimator: kernelDensity({ ...shape, method: 'near-and-random', ...near }), engine };
}

/** What a report says about an estimator, after the fit. */
export function estimatorDetailsOf({ estimator, engine }: OpenEstimator) {
  const { fingerprint, bandwidth } = estimator as DensityEstimator & Partial<Pick<KernelDensity, 'bandwidth'>>;
  return {
    estimator: fingerprint,
    ...(bandwidth && { bandwidth }),
    ...(engine && { neighbors: engineDetails(engine) }),
  };
}
