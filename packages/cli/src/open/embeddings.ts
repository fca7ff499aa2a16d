import {
  type CallOptions,
  collect,
  embedStream,
  itemOfError,
  type Matrix,
  NotFiniteError,
  type RowSource,
} from '@rarefy/core';
import type { PromptRecord } from '@rarefy/data';
import { type EmbeddingReader, openEmbeddings, rowsById, warnOfOtherData } from '@rarefy/embeddings';
import { quoted } from '@rarefy/io';
import { type EmbedderValues, openEmbedder } from './embedder.js';

/** The file that prompts were read from, as the options of a command name it. */
export interface PromptFile {
  readonly pairs?: string | undefined;
  readonly prompts?: string | undefined;
}

/**
 * One row per prompt, in order: from an embeddings file, by id, or embedded now if no file is given.
 * @throws InputError naming the first prompt that the file lacks.
 */
export async function embeddingsOf(
  prompts: readonly PromptRecord[],
  file: string | undefined,
  values: EmbedderValues & PromptFile,
  options: CallOptions,
): Promise<Matrix> {
  if (file !== undefined) {
    await using reader = await openEmbeddings(file, options);
    const rows = await rowsOf(prompts, reader, file, values, options);
    return 'data' in rows ? rows : await rows.read(0, rows.rows, options);
  }
  options.signal?.throwIfAborted();
  const texts = prompts.map(({ prompt }) => prompt);
  const { embedder, batchSize } = await openEmbedder(values, options);
  await using _ = embedder;
  let truncated = 0;
  async function* parts() {
    for await (const part of embedStream(embedder, texts, { ...options, batchSize, total: texts.length })) {
      truncated += part.truncated.length;
      yield part;
    }
  }
  const embeddings = await namingPrompt(prompts, collect(parts()));
  warnOfTruncation(truncated, texts.length, options);
  return embeddings;
}

/**
 * The rows of some prompts in an open embeddings file, found by id. Warns if it was computed from other data.
 * @throws InputError naming the first prompt that the file lacks.
 */
export async function rowsOf(
  prompts: readonly PromptRecord[],
  reader: EmbeddingReader,
  file: string,
  { pairs, prompts: promptFile }: PromptFile,
  options: CallOptions,
): Promise<Matrix | RowSource> {
  const dataFile = pairs ?? promptFile;
  if (dataFile !== undefined) await warnOfOtherData(file, prompts, dataFile, options);
  return rowsById(
    reader,
    prompts.map(({ id }) => id),
    file,
    options,
  );
}

/** Warns if texts were truncated. */
export function warnOfTruncation(truncated: number, texts: number, { onEvent }: CallOptions): void {
  if (truncated === 0) return;
  const message = `${truncated} of ${texts} texts are longer than the model reads and were truncated`;
  onEvent?.({ type: 'work-warning', task: 'embed', code: 'truncated', message });
}

/** Adds the id of the prompt to an error about one of them. */
export async function namingPrompt<Result>(prompts: readonly PromptRecord[], work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    const position = itemOfError(cause);
    if (position === undefined || !NotFiniteError.isInstance(cause)) throw cause;
    throw new NotFiniteError(`the prompt ${quoted(prompts[position]!.id)} cannot be embedded: ${cause.message}`, {
      cause,
    });
  }
}

/** Adds the name of the file to an error about its numbers. */
export async function namingFile<Result>(file: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (!NotFiniteError.isInstance(cause)) throw cause;
    throw new NotFiniteError(`${file}: ${cause.message}`, { cause });
  }
}
