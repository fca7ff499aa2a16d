import { type CallOptions, type Matrix, type RowSource, ShapeError } from '@rarefy/core';
import type { WriteOptions } from '@rarefy/io';
import { writeArrowEmbeddings } from '../formats/arrow/write-arrow-embeddings.js';
import { writeNpyEmbeddings } from '../formats/npy/npy-embeddings.js';
import { writeParquetEmbeddings } from '../formats/parquet/parquet-embeddings.js';
import { writePtEmbeddings } from '../formats/pt/pt-embeddings.js';
import { writeSafetensorsEmbeddings } from '../formats/safetensors/safetensors-embeddings.js';
import type { WritableDtype } from '../table/embedding-dtype.js';
import { checkIds } from '../table/embedding-ids.js';
import { memoryRows } from '../table/stored-matrix.js';
import type { WritableTable } from '../table/writable-table.js';
import { type EmbeddingFormat, formatToWrite } from './embedding-format.js';
import { openEmbeddings } from './embedding-reader.js';

type Writer = (path: string, table: WritableTable, options: WriteOptions) => Promise<void>;
const writers: Readonly<Record<EmbeddingFormat, Writer>> = {
  safetensors: writeSafetensorsEmbeddings,
  npy: writeNpyEmbeddings,
  pt: writePtEmbeddings,
  parquet: writeParquetEmbeddings,
  arrow: writeArrowEmbeddings,
};

/** Embeddings with the user's own keys. */
export interface EmbeddingFile {
  /** One a row, all different. */
  readonly ids: readonly string[];
  /** The file holds the ids as integers; here they are in decimal. */
  readonly integerIds?: boolean;
  /** ids x dimensions. */
  readonly embeddings: Matrix;
  /** Whatever the writer noted, such as the embedder's fingerprint. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Embeddings to write: in memory, or rows that are read block by block. */
export interface WritableEmbeddings extends Omit<EmbeddingFile, 'embeddings' | 'metadata'> {
  readonly embeddings: Matrix | RowSource;
  readonly metadata?: EmbeddingFile['metadata'];
}

export interface WriteEmbeddingsOptions extends WriteOptions {
  /** How the file holds the numbers; default float32. `.npy` and `.arrow` have no bfloat16, `.parquet` is float32 alone. */
  readonly dtype?: WritableDtype | undefined;
}

/**
 * Writes embeddings whole or not at all, in the format that the extension names: `.safetensors`, `.npy` with its ids in
 * `x.ids.json`, `.pt`, `.parquet` or `.arrow`. Equal content gives equal bytes.
 * @throws ShapeError when ids and rows differ in number; InvalidArgumentError for a repeated id, an unknown extension, or a
 * dtype or id that the format cannot hold; NotFiniteError naming the id of a NaN or infinity; MissingDependencyError for `.arrow` without apache-arrow; what writeAtomically throws.
 */
export async function writeEmbeddings(
  path: string,
  file: WritableEmbeddings,
  options: WriteEmbeddingsOptions = {},
): Promise<void> {
  const { ids, integerIds = false, embeddings, metadata = {} } = file;
  const { dtype = 'float32', ...callOptions } = options;
  const format = formatToWrite(path, dtype);
  if ('data' in embeddings && embeddings.data.length !== embeddings.rows * embeddings.cols) {
    const { data, rows, cols } = embeddings;
    throw new ShapeError(`${rows} x ${cols} embeddings with ${data.length} numbers`);
  }
  checkIds({ ids, integerIds }, embeddings.rows);
  const values = 'data' in embeddings ? memoryRows(embeddings) : embeddings;
  await writers[format](path, { ids, integerIds, metadata, dtype, values }, callOptions);
}

/**
 * Reads a whole embedding file of any format; {@link openEmbeddings} reads it block by block.
 * @throws what openEmbeddings throws.
 */
export async function readEmbeddings(path: string, options: CallOptions = {}): Promise<EmbeddingFile> {
  await using reader = await openEmbeddings(path, options);
  const { ids, integerIds, metadata, rows } = reader;
  const embeddings = await reader.read(0, rows, options);
  return { ids, ...(integerIds ? { integerIds } : {}), embeddings, metadata };
}
