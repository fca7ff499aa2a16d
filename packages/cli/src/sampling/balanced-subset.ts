import { counterRandom } from '@rarefy/core';
import { sphericalKMeans } from '@rarefy/density';
import { drawBalanced } from '@rarefy/samplers';
import { similarityWeights } from './similarity-weights.js';
import type { SubsetMethod } from './subset.js';
import { inclusionNote } from './weighted-subset.js';

/** The same number of rows from each cluster of directions, rare ones more often within it. */
export const balancedSubset: SubsetMethod = async (rows, options, call) => {
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
};
