import type { CallOptions, RowSource } from '@rarefy/core';
import { densityReport, knnSimilarity } from '@rarefy/density';
import { weightingOf } from '../training/weighting-options.js';
import { fitReader } from '../weighing/fit-reader.js';
import { engineDetails, neighborEngine } from '../weighing/neighbor-engine.js';
import type { SubsetOptions } from './subset.js';

/** Weight = 1 / (eps + mean inner product with the k most similar other rows), and what the options make of it. */
export async function similarityWeights(rows: RowSource, options: SubsetOptions, call: CallOptions) {
  const weighting = await weightingOf(options, options.eps);
  const engine = await neighborEngine(options.neighbors, 'dot', options.rowsAs);
  const estimator = knnSimilarity({ k: options.k, index: () => engine.index });
  const density = await fitReader(rows, estimator, call, options.neighbors === 'hnsw');
  const weights = weighting(density);
  const { warnings, ...report } = densityReport(density, weights);
  for (const message of warnings) call.onEvent?.({ type: 'work-warning', task: 'weigh', code: 'weights', message });
  const details = { estimator: estimator.fingerprint, neighbors: engineDetails(engine), weights: report };
  return { density, weights, details };
}
