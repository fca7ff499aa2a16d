import { type CallOptions, type DensityEstimator, InvalidArgumentError } from '@rarefy/core';
import { readPrompts, uniquePrompts } from '@rarefy/data';
import { densityOf } from '@rarefy/density';
import { openEmbeddings } from '@rarefy/embeddings';
import type { EngineName } from '../weighing/estimator-options.js';
import { fitReader } from '../weighing/fit-reader.js';
import { namingFile } from '../weighing/naming-file.js';
import { tellCut } from './embed-texts.js';
import { type EmbedderValues, openEmbedder } from './open-embedder.js';

/** Prompts to embed now, or an embeddings file: one of the two. */
export interface PromptSource extends EmbedderValues {
  readonly prompts: string | undefined;
  readonly embeddings: string | undefined;
  /** How neighbours are found, where the estimator needs any. */
  readonly neighbors: EngineName;
}

/** Density of the rows of an embeddings file, or of prompts embedded now, which need not fit in memory: one of the two must be given. */
export async function promptDensity(
  source: PromptSource,
  estimator: DensityEstimator,
  options: CallOptions,
): Promise<{ readonly ids: readonly string[]; readonly density: Float64Array }> {
  const { prompts, embeddings } = source;
  if ((prompts === undefined) === (embeddings === undefined)) {
    throw new InvalidArgumentError('give one of --prompts and --embeddings.');
  }
  if (embeddings !== undefined) {
    await using reader = await openEmbeddings(embeddings, options);
    const fitting = fitReader(reader, estimator, options, source.neighbors === 'hnsw');
    return { ids: reader.ids, density: await namingFile(embeddings, fitting) };
  }
  const records = await uniquePrompts(readPrompts(prompts!, options));
  const texts = records.map(({ prompt }) => prompt);
  const { embedder, batchSize } = await openEmbedder(source, options);
  await using _ = embedder;
  const { density, truncated } = await densityOf(texts, { embedder, estimator, batchSize, ...options });
  tellCut(truncated.length, texts.length, options);
  return { ids: records.map(({ id }) => id), density };
}
