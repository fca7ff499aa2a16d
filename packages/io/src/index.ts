export {
  type DownloadPairsOptions,
  downloadPairs,
  type PairsManifest,
  type PairsSource,
} from './datasets/download-pairs.js';
export { type ColumnMap, pairSets } from './datasets/pair-sets.js';
export { readRows, type TableRow } from './datasets/read-rows.js';
export { promptAndAnswer, type Turn, transcriptTurns } from './datasets/transcript.js';
export type { EmbedRow, EmbedRows } from './embed-job/data-rows.js';
export { type EmbedSummary, type EmbedToFileOptions, embedToFile } from './embed-job/embed-to-file.js';
export { type EmbedEstimate, type EstimateOptions, estimateEmbedding } from './embed-job/estimate.js';
export {
  type EmbeddingManifest,
  type FailedRow,
  readEmbeddingManifest,
  verifyEmbeddings,
} from './embed-job/manifest.js';
export { type ConvertEmbeddingsOptions, convertEmbeddings } from './embeddings/convert-embeddings.js';
export type { EmbeddingDtype, WritableDtype } from './embeddings/embedding-dtype.js';
export {
  type EmbeddingFile,
  readEmbeddings,
  type WritableEmbeddings,
  type WriteEmbeddingsOptions,
  writeEmbeddings,
} from './embeddings/embedding-file.js';
export { type EmbeddingFormat, formatToWrite } from './embeddings/embedding-format.js';
export { type EmbeddingReader, openEmbeddings } from './embeddings/embedding-reader.js';
export { parseSafetensors, readSafetensors, type Safetensors } from './embeddings/safetensors.js';
export { type StoredDtype, type StoredTensor, toFloat32, toFloat64, toInt32 } from './embeddings/stored-tensor.js';
export { encodeSafetensors, type WritableTensor, writeSafetensors } from './embeddings/write-safetensors.js';
export { type FileSystem, nodeFileSystem, type OpenFile } from './files/file-system.js';
export { checkName, insideFolder } from './files/inside-folder.js';
export { type RowFile, type RowFileOptions, rowFile } from './files/row-file.js';
export { sha256File } from './files/sha256-file.js';
export { type WriteOptions, writeAtomically } from './files/write-atomically.js';
export { cacheFolder } from './hub/cache-folder.js';
export type { HubOptions } from './hub/hub.js';
export {
  type PulledModel,
  type PullModelOptions,
  pulledModelFolder,
  pulledModels,
  pullModel,
} from './hub/pull-model.js';
export { retryDelay } from './net/retry-delay.js';
export { sleep } from './net/sleep.js';
export type { BadLineReason } from './records/bad-line.js';
export { type Conversation, readConversations } from './records/conversations.js';
export { mergeNearDuplicates, type NearDuplicateOptions } from './records/near-duplicates.js';
export { type Pair, readPairs } from './records/pairs.js';
export { type PromptRecord, readPrompts } from './records/prompts.js';
export { quoted } from './records/quoted.js';
export { readJsonl } from './records/read-jsonl.js';
export type { JsonlLine, JsonlOptions, JsonlStats } from './records/read-lines.js';
export { uniquePrompts } from './records/unique-prompts.js';
export { writeJsonl } from './records/write-jsonl.js';
