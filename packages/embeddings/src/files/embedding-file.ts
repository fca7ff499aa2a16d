import {
  type CallOptions,
  callOptionNames,
  checkItemArray,
  checkOptions,
  checkShape,
  InputError,
  type Matrix,
  type RowSource,
} from '@rarefy/core';
import { type ByteSource, openFile, type WriteOptions, writeOptionNames } from '@rarefy/io';
import { openArrowEmbeddings, writeArrowEmbeddings } from '../formats/arrow/arrow-embeddings.js';
import { idsPathOf, openNpyEmbeddings, writeNpyEmbeddings } from '../formats/npy.js';
import { openParquetEmbeddings, writeParquetEmbeddings } from '../formats/parquet/parquet-embeddings.js';
import { openPtEmbeddings, writePtEmbeddings } from '../formats/pt/pt-embeddings.js';
import { openSafetensorsEmbeddings, writeSafetensorsEmbeddings } from '../formats/safetensors.js';
import { checkIds, type EmbeddingIds } from '../table/ids.js';
import { memoryRows } from '../table/matrix-rows.js';
import type { EmbeddingDtype, EmbeddingTable, WritableDtype, WritableTable } from '../table/table.js';
import {
  type EmbeddingFormat,
  formatHeadBytes,
  formatOfContent,
  formatOfName,
  formatToWrite,
  supportedDtypes,
} from './embedding-format.js';

/** How to open and write each format. */
const formats: Readonly<Record<EmbeddingFormat, Format>> = {
  safetensors: { open: openSafetensorsEmbeddings, write: writeSafetensorsEmbeddings },
  npy: {
    async open(source) {
      await using ids = await openFile(idsPathOf(source.name));
      return await openNpyEmbeddings(source, ids);
    },
    write: writeNpyEmbeddings,
  },
  pt: { open: openPtEmbeddings, write: writePtEmbeddings },
  parquet: { open: openParquetEmbeddings, write: writeParquetEmbeddings },
  arrow: { open: openArrowEmbeddings, write: writeArrowEmbeddings },
};

interface Format {
  readonly open: (source: ByteSource, options: CallOptions) => Promise<EmbeddingTable>;
  readonly write: (path: string, table: WritableTable, options: WriteOptions) => Promise<void>;
}

/** Content of an embedding file. */
export interface EmbeddingFile {
  /** The user's own keys: one per row, all different. */
  readonly ids: readonly string[];
  /** Whether the file stores the ids as integers; here they are in decimal. */
  readonly integerIds?: boolean;
  /** One row per id. */
  readonly embeddings: Matrix;
  /** Notes of the writer, such as the embedder's fingerprint. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Embeddings to write: in memory, or as a source of rows that is read in blocks. */
export interface WritableEmbeddings extends Omit<EmbeddingFile, 'embeddings' | 'metadata'> {
  readonly embeddings: Matrix | RowSource;
  readonly metadata?: EmbeddingFile['metadata'];
}

export interface WriteEmbeddingsOptions extends WriteOptions {
  /** Dtype of the numbers in the file; default float32. `.npy` and `.arrow` do not support bfloat16, `.parquet` only float32. */
  readonly dtype?: WritableDtype | undefined;
}

const writeEmbeddingsNames = ['dtype', ...writeOptionNames] satisfies (keyof WriteEmbeddingsOptions)[];

/** An open embedding file. Ids are in memory, rows are read on request. Dispose it after use. */
export interface EmbeddingReader extends RowSource, EmbeddingIds, AsyncDisposable {
  /** Notes of the writer, such as the embedder's fingerprint. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Dtype of the numbers in the file. `read` returns float32, which is exact unless this is float64. */
  readonly dtype: EmbeddingDtype;
}

/**
 * Writes embeddings, completely or not at all. The extension selects the format: `.safetensors`, `.npy` with the ids in
 * `x.ids.json` beside it, `.pt`, `.parquet` or `.arrow`. Equal content gives equal bytes.
 * @throws ShapeError if the numbers of ids and rows differ; InvalidArgumentError for ids that are not an array, a repeated id, an
 * unknown extension, or a dtype or id that the format does not support; NotFiniteError that names the id of a NaN or infinity;
 * MissingDependencyError for `.arrow` without apache-arrow; what writeAtomically throws.
 */
export async function writeEmbeddings(
  path: string,
  file: WritableEmbeddings,
  options: WriteEmbeddingsOptions = {},
): Promise<void> {
  checkOptions(options, writeEmbeddingsNames, 'writeEmbeddings');
  const { ids, integerIds = false, embeddings, metadata = {} } = file;
  const { dtype = 'float32', ...writeOptions } = options;
  const format = formatToWrite(path, dtype);
  checkItemArray(ids, 'writeEmbeddings');
  const values = 'read' in Object(embeddings) ? (embeddings as RowSource) : checkedRows(embeddings as Matrix);
  checkIds({ ids, integerIds }, values.rows);
  await formats[format].write(path, { ids, integerIds, metadata, dtype, values }, writeOptions);
}

function checkedRows(embeddings: Matrix): RowSource {
  checkShape(embeddings, 'embeddings');
  return memoryRows(embeddings);
}

/**
 * Opens an embedding file. The format follows from the extension, or from the content if the extension is unknown. Rows are read on
 * request, except those of an Arrow file, which is read as a whole.
 * @throws InputError if it cannot be read, has no embeddings, or has the content of another format; CorruptFileError if it is not
 * valid; MissingDependencyError for an Arrow file without apache-arrow; the signal's reason on abort. `read` throws the same.
 */
export async function openEmbeddings(path: string, options: CallOptions = {}): Promise<EmbeddingReader> {
  checkOptions(options, callOptionNames, 'openEmbeddings');
  const source = await openFile(path, options);
  try {
    const content = formatOfContent(await source.read(0, Math.min(source.size, formatHeadBytes), options));
    const format = formatOfName(path) ?? content;
    if (format === undefined)
      throw new InputError(
        `${path} is not an embedding file: neither its extension nor its content is of a known format.`,
      );
    if (content !== undefined && content !== format) {
      throw new InputError(
        `${path} has the extension of a ${format} file and the content of a ${content} file. Correct its extension.`,
      );
    }
    const { values, ...rest } = await formats[format].open(source, options);
    return { ...rest, ...values, [Symbol.asyncDispose]: source[Symbol.asyncDispose] };
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Reads a whole embedding file of any format. {@link openEmbeddings} reads it in blocks.
 * @throws what {@link openEmbeddings} throws.
 */
export async function readEmbeddings(path: string, options: CallOptions = {}): Promise<EmbeddingFile> {
  checkOptions(options, callOptionNames, 'readEmbeddings');
  await using reader = await openEmbeddings(path, options);
  const { ids, integerIds, metadata, rows } = reader;
  const embeddings = await reader.read(0, rows, options);
  return { ids, ...(integerIds ? { integerIds } : {}), embeddings, metadata };
}

export interface ConvertEmbeddingsOptions extends CallOptions {
  /** Dtype of the new file; default: that of the old one, or float32 if the new format does not support it. */
  readonly dtype?: WritableDtype | undefined;
}

const convertOptionNames = ['dtype', ...callOptionNames] satisfies (keyof ConvertEmbeddingsOptions)[];

/**
 * Converts an embedding file of any format to any other, in blocks. Ids and metadata are kept. Numbers are exact unless the new
 * dtype is narrower; then they are rounded to nearest with ties to even.
 * @returns size and dtype of the new file
 * @throws what {@link openEmbeddings} and {@link writeEmbeddings} throw; NotFiniteError for a number that is not finite or is too
 * large for the dtype.
 */
export async function convertEmbeddings(
  from: string,
  to: string,
  options: ConvertEmbeddingsOptions = {},
): Promise<{ readonly rows: number; readonly cols: number; readonly dtype: WritableDtype }> {
  checkOptions(options, convertOptionNames, 'convertEmbeddings');
  const { dtype: asked, ...callOptions } = options;
  const supported = supportedDtypes[formatToWrite(to)];
  await using reader = await openEmbeddings(from, callOptions);
  const { ids, integerIds, metadata, rows, cols } = reader;
  const dtype = asked ?? supported.find((candidate) => candidate === reader.dtype) ?? 'float32';
  await writeEmbeddings(to, { ids, integerIds, metadata, embeddings: reader }, { ...callOptions, dtype });
  return { rows, cols, dtype };
}
