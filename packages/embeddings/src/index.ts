/**
 * Embedding files: a matrix with one row for each id.
 *
 * - The format follows the file name, `.safetensors`, `.npy`, `.pt`, `.parquet` or `.arrow`: {@link writeEmbeddings} writes each, whole
 *   or not at all, and {@link readEmbeddings} knows each by its name, or by its content under any other name.
 * - {@link openEmbeddings} reads rows when they are asked for, so a file may be larger than memory; {@link convertEmbeddings} turns
 *   one format into another that way.
 * - {@link embedToFile} embeds more rows than fit in memory. It works in shards: a run that was killed goes on where it stopped and
 *   ends with the same bytes. {@link estimateEmbedding} tells what that would take.
 * - A manifest beside the file says what it was made of; {@link verifyEmbeddings} checks the file against it.
 */
export type { EmbedRow, EmbedRows } from './embed-job/data-rows.js';
export { type EmbedSummary, type EmbedToFileOptions, embedToFile } from './embed-job/embed-to-file.js';
export { type EmbedEstimate, type EstimateOptions, estimateEmbedding } from './embed-job/estimate.js';
export {
  type EmbeddingManifest,
  type FailedRow,
  readEmbeddingManifest,
  verifyEmbeddings,
} from './embed-job/manifest.js';
export { type ConvertEmbeddingsOptions, convertEmbeddings } from './files/convert-embeddings.js';
export {
  type EmbeddingFile,
  readEmbeddings,
  type WritableEmbeddings,
  type WriteEmbeddingsOptions,
  writeEmbeddings,
} from './files/embedding-file.js';
export { type EmbeddingFormat, formatToWrite } from './files/embedding-format.js';
export { type EmbeddingReader, openEmbeddings } from './files/embedding-reader.js';
export type { EmbeddingDtype, WritableDtype } from './table/embedding-dtype.js';
