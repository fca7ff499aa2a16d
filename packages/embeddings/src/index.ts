/**
 * Embedding files: a matrix with one row per id.
 *
 * - The extension selects the format: `.safetensors`, `.npy`, `.pt`, `.parquet` or `.arrow`. {@link writeEmbeddings} writes each of
 *   them, completely or not at all. {@link readEmbeddings} reads them, and recognizes a file with another extension by its content.
 * - {@link openEmbeddings} reads rows on request, so a file may be larger than memory; only Arrow files are read as a whole.
 *   {@link convertEmbeddings} converts one format to another.
 * - {@link embedToFile} embeds more rows than fit in memory. It works in shards: a killed run continues where it stopped, and ends
 *   with the same bytes. {@link estimateEmbedding} estimates its time and memory.
 * - A manifest beside the file describes its origin; {@link verifyEmbeddings} checks the file against it, and
 *   {@link warnOfOtherData} the prompts that its rows are used for.
 */
export {
  type ConversationItem,
  type ConversationRowsOptions,
  conversationRows,
  dataNotes,
} from './embed-job/conversation-rows.js';
export type { EmbedRow, EmbedRows } from './embed-job/data-rows.js';
export { type EmbedSummary, type EmbedToFileOptions, embedToFile } from './embed-job/embed-to-file.js';
export { type EmbedEstimate, type EstimateOptions, estimateEmbedding } from './embed-job/estimate.js';
export {
  type EmbeddingManifest,
  type FailedRow,
  readEmbeddingManifest,
  verifyEmbeddings,
} from './embed-job/manifest.js';
export { warnOfOtherData } from './embed-job/other-data.js';
export {
  type ConvertEmbeddingsOptions,
  convertEmbeddings,
  type EmbeddingFile,
  type EmbeddingReader,
  openEmbeddings,
  readEmbeddings,
  type WritableEmbeddings,
  type WriteEmbeddingsOptions,
  writeEmbeddings,
} from './files/embedding-file.js';
export { type EmbeddingFormat, formatToWrite } from './files/embedding-format.js';
export { rowsById } from './files/rows-by-id.js';
export type { EmbeddingDtype, WritableDtype } from './table/table.js';
