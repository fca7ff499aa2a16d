import type { OptionDefinitions, OptionValues } from '../shell/options.js';

export const estimatorNames = ['knn-distance', 'knn-similarity', 'kernel', 'race', 'cluster'] as const;
export type EstimatorName = (typeof estimatorNames)[number];

export const engineNames = ['auto', 'exact', 'nn-descent', 'hnsw', 'faiss'] as const;
export type EngineName = (typeof engineNames)[number];

/** How neighbours are found. */
export const neighborsOption = {
  type: 'choice',
  choices: engineNames,
  default: 'auto',
  description:
    'How neighbours are found; auto: exactly up to 50,000 different rows, then nn-descent. hnsw and faiss need a library',
} as const;

const rowsAsNames = ['float32', 'bfloat16', 'int8'] as const;
export type RowsAs = (typeof rowsAsNames)[number];

/** How a library holds the rows while it looks for neighbours. */
export const rowsAsOption = {
  type: 'choice',
  choices: rowsAsNames,
  default: 'bfloat16',
  description: 'Of hnsw: numbers that rows are searched as; int8 takes least memory. Distances are of float32 rows',
} as const;

/** How density is measured. */
export const estimatorOptions = {
  estimator: {
    type: 'choice',
    choices: estimatorNames,
    default: 'knn-distance',
    description: 'How density is measured',
  },
  k: {
    type: 'integer',
    min: 1,
    description: 'Nearest other prompts that count; 10 for knn-distance, 20 for knn-similarity',
  },
  kernel: {
    type: 'choice',
    choices: ['gaussian', 'exponential', 'angular'],
    default: 'gaussian',
    description: 'Of kernel: how a prompt counts at another',
  },
  bandwidth: {
    type: 'number',
    min: 0,
    description: 'Of kernel: width; default the median distance to the 10th neighbour',
  },
  samples: {
    type: 'integer',
    min: 1,
    description: 'Of kernel: sum the k nearest (20) and this many others at random, not all',
  },
  'race-rows': { type: 'integer', default: 1000, min: 1, description: 'Of race: rows of counters' },
  hashes: { type: 'integer', default: 4, min: 1, max: 16, description: 'Of race, and of the angular kernel: power' },
  clusters: { type: 'integer', min: 1, description: 'Of cluster: how many; default the root of the prompts' },
  seed: { type: 'integer', default: 0, description: 'Of what is random: samples, hashes, clusters' },
  neighbors: neighborsOption,
  'rows-as': rowsAsOption,
} as const satisfies OptionDefinitions;

export type EstimatorValues = OptionValues<typeof estimatorOptions>;
