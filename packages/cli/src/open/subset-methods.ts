import { type CallOptions, counterRandom, type RowSource } from '@rarefy/core';
import { type DensityReport, knnSimilarity, sphericalKMeans, weighPrompts } from '@rarefy/density';
import {
  drawBalanced,
  drawWithoutReplacement,
  estimatedInclusion,
  farthestFirst,
  inclusionProbabilities,
} from '@rarefy/samplers';
import type { OptionValues } from '../shell/options.js';
import { engineDetails, neighborOptions, openNeighborEngine } from './neighbor-engine.js';
import { openWeighting, weightingOptions } from './weighting.js';

/** What a method takes from the command line. */
export interface SubsetOptions extends OptionValues<typeof weightingOptions>, OptionValues<typeof neighborOptions> {
  readonly budget: number;
  readonly seed: number;
  readonly k: number;
  readonly eps: number;
  readonly clusters: number | undefined;
}

/** A subset, and what the report says about it. */
export interface Subset {
  /** In draw order. */
  readonly positions: Int32Array;
  /** One value per row of the file in each column. */
  readonly columns: Readonly<Record<string, Float64Array | Int32Array>>;
  /** Fields of the report. */
  readonly details: Readonly<Record<string, unknown>>;
  /** A sentence for the terminal. */
  readonly note?: string | undefined;
}

interface SubsetMethod {
  /** Names of the options that apply to it. */
  readonly takes: readonly string[];
  open(rows: RowSource, options: SubsetOptions, call: CallOptions): Promise<Subset>;
}

const weighing = ['k', 'eps', ...Object.keys({ ...weightingOptions, ...neighborOptions })];

/** The methods of `rarefy sample --method`. */
export const subsetMethods = {
  weighted: { takes: weighing, open: weightedSubset },
  coverage: { takes: [], open: coverageSubset },
  'cluster-balanced': { takes: ['clusters', ...weighing], open: balancedSubset },
} as const satisfies Record<string, SubsetMethod>;

/** Up to this many rows, inclusion probabilities are exact, at about 20 µs per row (one core of a 2020s server). */
const maxExactRows = 50_000;

/** Rare rows more often: exact successive sampling. */
async function weightedSubset(rows: RowSource, options: SubsetOptions, call: CallOptions): Promise<Subset> {
  const { budget, seed } = options;
  const { density, weights, details } = await similarityWeights(rows, options, call);
  const positions = drawWithoutReplacement(weights, budget, counterRandom(seed));
  const isExact = weights.length <= maxExactRows;
  const inclusion = isExact ? inclusionProbabilities(weights, budget) : estimatedInclusion(weights, budget);
  const how = isExact ? 'exact' : 'estimated';
  return {
    positions,
    columns: { density, weight: weights, inclusion },
    details: { ...details, inclusion: how },
    note: inclusionNote(inclusion, budget, how),
  };
}

/** Rows that leave no other row far from all of them. */
async function coverageSubset(rows: RowSource, { budget, seed }: SubsetOptions, call: CallOptions): Promise<Subset> {
  const points = await rows.read(0, rows.rows, call);
  const { positions, distances, radius } = await farthestFirst(points, budget, { seed, ...call });
  const distance = new Float64Array(rows.rows);
  positions.forEach((position, pick) => {
    distance[position] = distances[pick]!;
  });
  return {
    positions,
    columns: { distance },
    details: { radius },
    note: `every row is within ${radius.toPrecision(3)} of a sampled one`,
  };
}

/** The same number of rows from each cluster of directions; within a cluster, rare rows more often. */
async function balancedSubset(rows: RowSource, options: SubsetOptions, call: CallOptions): Promise<Subset> {
  const { budget, seed, clusters = Math.round(Math.sqrt(rows.rows)) } = options;
  const { density, weights, details } = await similarityWeights(rows, options, call);
  const points = await rows.read(0, rows.rows, call);
  const { clusterOf, counts } = await sphericalKMeans(points, { clusters, seed, ...call });
  const { positions, shares, inclusion } = drawBalanced(weights, clusterOf, budget, counterRandom(seed));
  const sizes = Array.from(counts, (size, cluster) => ({ size, sampled: shares[cluster] }));
  return {
    positions,
    columns: { cluster: clusterOf, density, weight: weights, inclusion },
    details: { ...details, inclusion: 'exact', clusters: sizes },
    note: inclusionNote(inclusion, budget, 'exact'),
  };
}

/** Weight = 1 / (eps + mean inner product with the k most similar other rows), changed as the options say. */
async function similarityWeights(rows: RowSource, options: SubsetOptions, call: CallOptions) {
  const weighting = await openWeighting(options, options.eps);
  const engine = await openNeighborEngine(options, 'dot');
  const estimator = knnSimilarity({ k: options.k, index: () => engine.index });
  // hnsw saves the most memory if it reads even a small file in blocks.
  const memory = options.neighbors === 'hnsw' ? { memoryBytes: 0 } : {};
  const { density, weights, report } = await weighPrompts(rows, { estimator, weighting, ...memory, ...call });
  const details = { estimator: estimator.fingerprint, neighbors: engineDetails(engine), weights: effectOf(report) };
  return { density, weights, details };
}

/** The figures of a report, without its warnings. */
function effectOf({ warnings, ...effect }: DensityReport) {
  return effect;
}

/** A note if the budget is so large that inclusion is not close to budget × probability. */
function inclusionNote(inclusion: Float64Array, budget: number, how: string): string | undefined {
  const share = budget / inclusion.length;
  if (share <= 0.1) return undefined;
  const sorted = inclusion.slice().sort();
  const percent = (value: number) => `${(100 * value).toPrecision(3)} %`;
  const [least, middle, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!].map(percent);
  return `the budget is ${percent(share)} of the rows, so the probability that a row is sampled is not proportional to its weight: at least ${least}, median ${middle}, at most ${most} (${how})`;
}
