import type { CallOptions } from '@rarefy/core';
import type { WritableDtype } from '../table/embedding-dtype.js';
import { writeEmbeddings } from './embedding-file.js';
import { formatToWrite, heldDtypes } from './embedding-format.js';
import { openEmbeddings } from './embedding-reader.js';

export interface ConvertEmbeddingsOptions extends CallOptions {
  /** Of the new file; default that of the old one, or float32 where the new one cannot hold it. */
  readonly dtype?: WritableDtype | undefined;
}

/**
 * Writes the embeddings of one file as another, of any format to any other, block by block: ids, whether they are integers, and metadata
 * stay. Numbers stay exactly, unless the new dtype is narrower: then they are rounded, ties to even.
 * @returns what was written
 * @throws what openEmbeddings and writeEmbeddings throw; NotFiniteError for a number that is not finite or too large for the dtype.
 */
export async function convertEmbeddings(
  from: string,
  to: string,
  options: ConvertEmbeddingsOptions = {},
): Promise<{ readonly rows: number; readonly cols: number; readonly dtype: WritableDtype }> {
  const held = heldDtypes[formatToWrite(to)];
  await using reader = await openEmbeddings(from, options);
  const { ids, integerIds, metadata, rows, cols } = reader;
  const dtype = options.dtype ?? held.find((candidate) => candidate === reader.dtype) ?? 'float32';
  await writeEmbeddings(to, { ids, integerIds, metadata, embeddings: reader }, { ...options, dtype });
  return { rows, cols, dtype };
}
