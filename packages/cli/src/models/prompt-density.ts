import type { CallOptions, DensityEstimator } from '@rarefy/core';
import { densityOf } from '@rarefy/density';
import { readPrompts, uniquePrompts } from '@rarefy/io';
import { tellCut } from './embed-texts.js';
import { type EmbedderValues, openEmbedder } from './open-embedder.js';
import { readEmbeddedPrompts } from './read-embedded-prompts.js';

/** Density of the rows of an embeddings file, or of prompts embedded now, which need not fit in memory: one of the two must be given. */
export async function promptDensity(
  source: { prompts: string | undefined; embeddings: string | undefined } & EmbedderValues,
  estimator: DensityEstimator,
  options: CallOptions,
): Promise<{ readonly ids: readonly string[]; readonly density: Float64Array }> {
  const { prompts, embeddings } = source;
  if (prompts === undefined || embeddings !== undefined) {
    const points = await readEmbeddedPrompts(source, options);
    return { ids: points.ids, density: await estimator.fit(points.embeddings, options) };
  }
  const records = await uniquePrompts(readPrompts(prompts, options));
  const texts = records.map(({ prompt }) => prompt);
  const { embedder, batchSize } = await openEmbedder(source, options);
  await using _ = embedder;
  const { density, truncated } = await densityOf(texts, { embedder, estimator, batchSize, ...options });
  tellCut(truncated.length, texts.length, options);
  return { ids: records.map(({ id }) => id), density };
}
