/**
 * Files that survive crashes and untrusted content.
 *
 * - Atomic writes: {@link writeAtomically}, and everything here that writes, produces a complete file or none. A crash, a full
 *   disk or an abort leaves the old file.
 * - One writer: {@link lockFile} lets one process at a time write a set of files, and takes over the lock of an ended process.
 * - Untrusted content: readers check sizes before they allocate, {@link insideFolder} and {@link checkName} keep names from files
 *   inside their folder, and {@link guardedWorker} runs a library with limits on time and memory. Errors name the file, the
 *   location in it, and what to do.
 * - Large data: {@link readJsonl} reads one line at a time, {@link openFile} reads byte ranges, and {@link rowFile} keeps rows of
 *   numbers on disk while they are needed.
 * - Downloads: {@link cacheFolder} says where they are, and {@link findModelFolder} finds a model there.
 * - Tensors: {@link readSafetensors} and {@link writeSafetensors}.
 */
export { type ByteSource, memorySource, openFile } from './files/byte-source.js';
export { digestFile, sha256File } from './files/digest-file.js';
export { type FileLock, lockFile } from './files/file-lock.js';
export { type FileSystem, nodeFileSystem, type OpenFile } from './files/file-system.js';
export {
  cacheFolder,
  findModelFolder,
  findSentenceModel,
  isModelName,
  isSentenceModel,
  modelFolderName,
  modelManifestName,
  modelRepository,
  modelRoots,
  sentenceModelFolders,
  sentenceModulesName,
} from './files/model-cache.js';
export { checkName, fileExists, insideFolder, isSameFile } from './files/paths.js';
export { readBytes, sourceName } from './files/read-bytes.js';
export { checkRows, type RowFile, rowFile } from './files/row-file.js';
export { type WriteOptions, writeAtomically, writeOptionNames } from './files/write-atomically.js';
export { checkLineIds } from './lines/line-ids.js';
export {
  BadLine,
  type BadLineReason,
  decodeLine,
  type JsonlLine,
  type JsonlOptions,
  type JsonlStats,
  jsonlOptionNames,
  readJsonl,
  readLines,
} from './lines/read-jsonl.js';
export { splitLines } from './lines/split-lines.js';
export { writeJsonl } from './lines/write-jsonl.js';
export { describeValue, fileError, orFileError, quoted } from './messages.js';
export {
  type ColumnChunk,
  corruptParquet,
  type ParquetColumn,
  type ParquetFooter,
  readParquetFooter,
} from './parquet/footer.js';
export { readThrift, type ThriftStruct, type ThriftValue } from './parquet/thrift.js';
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './tensors/float16.js';
export {
  encodeSafetensors,
  parseSafetensors,
  readSafetensors,
  type Safetensors,
  type WritableTensor,
  writeSafetensors,
} from './tensors/safetensors.js';
export {
  encodeSafetensorsHeader,
  parseSafetensorsHeader,
  safetensorsHeaderLength,
} from './tensors/safetensors-header.js';
export {
  elementBytes,
  type StoredDtype,
  type StoredTensor,
  toFloat32,
  toFloat64,
  toInt32,
} from './tensors/stored-tensor.js';
export {
  type GuardedWorker,
  guardedWorker,
  libraryUrl,
  type Served,
} from './workers/guarded-worker.js';
