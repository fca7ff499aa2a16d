import { type CallOptions, InvalidArgumentError, type Matrix } from '@rarefy/core';
import { readEmbeddings, readPrompts, uniquePrompts } from '@rarefy/io';
import { embedTexts } from './embed-texts.js';
import type { EmbedderValues } from './open-embedder.js';

/** Points from an embeddings file, or from prompts embedded now: one of the two must be given. */
export async function readEmbeddedPrompts(
  { prompts, embeddings, ...choice }: { prompts: string | undefined; embeddings: string | undefined } & EmbedderValues,
  options: CallOptions,
): Promise<{ readonly ids: readonly string[]; readonly embeddings: Matrix }> {
  if ((prompts === undefined) === (embeddings === undefined)) {
    throw new InvalidArgumentError('give one of --prompts and --embeddings.');
  }
  if (embeddings !== undefined) return readEmbeddings(embeddings, options);
  const records = await uniquePrompts(readPrompts(prompts!, options));
  const texts = records.map(({ prompt }) => prompt);
  return { ids: records.map(({ id }) => id), ...(await embedTexts(texts, choice, options)) };
}
