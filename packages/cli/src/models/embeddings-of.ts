import { type CallOptions, InputError, type Matrix } from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { readEmbeddings } from '@rarefy/embeddings';
import { quoted } from '@rarefy/io';
import { embedTexts } from './embed-texts.js';
import type { EmbedderValues } from './open-embedder.js';

/**
 * One row a prompt, in order: those of an embeddings file, found by id, or embedded now when there is none.
 * @throws InputError naming the first prompt that the file lacks.
 */
export async function embeddingsOf(
  prompts: readonly PromptRecord[],
  file: string | undefined,
  values: EmbedderValues,
  options: CallOptions,
): Promise<Matrix> {
  if (file === undefined)
    return (
      await embedTexts(
        prompts.map(({ prompt }) => prompt),
        values,
        options,
      )
    ).embeddings;
  const { ids, embeddings } = await readEmbeddings(file, options);
  const rowOf = new Map(ids.map((id, row) => [id, row]));
  const { cols } = embeddings;
  const data = new Float32Array(prompts.length * cols);
  prompts.forEach(({ id }, position) => {
    const row = rowOf.get(id);
    if (row === undefined) throw new InputError(`${file} has no embedding of the prompt with id ${quoted(id)}.`);
    data.set(embeddings.data.subarray(row * cols, (row + 1) * cols), position * cols);
  });
  return { data, rows: prompts.length, cols };
}
