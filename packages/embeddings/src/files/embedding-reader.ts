import { type CallOptions, InputError, type RowSource } from '@rarefy/core';
import { type ByteSource, openFile } from '@rarefy/io';
import { openArrowEmbeddings } from '../formats/arrow/arrow-embeddings.js';
import { idsPathOf, openNpyEmbeddings } from '../formats/npy/npy-embeddings.js';
import { openParquetEmbeddings } from '../formats/parquet/parquet-embeddings.js';
import { openPtEmbeddings } from '../formats/pt/pt-embeddings.js';
import { openSafetensorsEmbeddings } from '../formats/safetensors/safetensors-embeddings.js';
import type { EmbeddingDtype } from '../table/embedding-dtype.js';
import type { EmbeddingIds } from '../table/embedding-ids.js';
import type { EmbeddingTable } from '../table/embedding-table.js';
import { type EmbeddingFormat, formatHeadBytes, formatOfContent, formatOfName } from './embedding-format.js';

/** An open embedding file: ids in memory, rows read when asked for. Close it after use, with `await using` for one. */
export interface EmbeddingReader extends RowSource, EmbeddingIds, AsyncDisposable {
  /** Whatever the writer noted, such as the embedder's fingerprint. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How the file holds the numbers; `read` gives float32, exactly unless it is float64. */
  readonly dtype: EmbeddingDtype;
}

const openers: Readonly<Record<EmbeddingFormat, (source: ByteSource) => Promise<EmbeddingTable>>> = {
  safetensors: openSafetensorsEmbeddings,
  async npy(source) {
    await using ids = await openFile(idsPathOf(source.name));
    return await openNpyEmbeddings(source, ids);
  },
  pt: openPtEmbeddings,
  parquet: openParquetEmbeddings,
  arrow: openArrowEmbeddings,
};

/**
 * Opens an embedding file, its format told by the extension, or by the content for any other extension.
 * @throws InputError when it cannot be read, holds no embeddings, or has the content of another format; CorruptFileError naming
 * what is wrong; the signal's reason on abort. Reads throw the same.
 */
export async function openEmbeddings(path: string, options: CallOptions = {}): Promise<EmbeddingReader> {
  const source = await openFile(path, options);
  try {
    const content = formatOfContent(await source.read(0, Math.min(source.size, formatHeadBytes), options));
    const format = formatOfName(path) ?? content;
    if (format === undefined)
      throw new InputError(`${path} is no embedding file: its name and its content are of no known format.`);
    if (content !== undefined && content !== format) {
      throw new InputError(`${path} ends like a ${format} file and holds ${content}. Give it the ending that fits.`);
    }
    const { values, ...rest } = await openers[format](source);
    return { ...rest, ...values, [Symbol.asyncDispose]: source[Symbol.asyncDispose] };
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}
