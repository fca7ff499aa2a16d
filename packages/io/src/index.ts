/**
 * Files that survive anything.
 *
 * - A file is written whole or not at all: {@link writeAtomically} and everything that writes here. A crash, a full disk or an abort
 *   leaves the old file or none.
 * - One process at a time: {@link lockFile} keeps files to one writer, and takes over the lock of a process of this machine that ended.
 * - Files come from strangers: readers check sizes before they allocate, and {@link insideFolder} and {@link checkName} keep names
 *   from files inside their folder. Errors name the file, the place and what to do.
 * - Large data stays on disk: {@link readJsonl} reads one line at a time, {@link openFile} reads byte ranges, and {@link rowFile}
 *   holds rows of numbers while someone works with them.
 * - Tensors are stored as safetensors: {@link readSafetensors} and {@link writeSafetensors}.
 */
export { type ByteSource, memorySource, openFile } from './files/byte-source.js';
export { checkRows } from './files/check-rows.js';
export { digestFile } from './files/digest-file.js';
export { fileError, orFileError } from './files/file-error.js';
export { type FileLock, lockFile } from './files/file-lock.js';
export { type FileSystem, nodeFileSystem, type OpenFile } from './files/file-system.js';
export { checkName, insideFolder } from './files/inside-folder.js';
export { fileExists, isSameFile } from './files/paths.js';
export { readBytes, sourceName } from './files/read-bytes.js';
export { type RowFile, type RowFileOptions, rowFile } from './files/row-file.js';
export { sha256File } from './files/sha256-file.js';
export { type WriteOptions, writeAtomically } from './files/write-atomically.js';
export { BadLine, type BadLineReason, describeValue } from './lines/bad-line.js';
export { readJsonl } from './lines/read-jsonl.js';
export { decodeLine, type JsonlLine, type JsonlOptions, type JsonlStats, readLines } from './lines/read-lines.js';
export { type ByteLine, splitLines } from './lines/split-lines.js';
export { writeJsonl } from './lines/write-jsonl.js';
export {
  type ColumnChunk,
  corruptParquet,
  type ParquetColumn,
  type ParquetFooter,
  parseParquetFooter,
} from './parquet/footer.js';
export { readThrift, type ThriftStruct, type ThriftValue } from './parquet/thrift.js';
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './tensors/float16.js';
export { parseSafetensors, readSafetensors, type Safetensors } from './tensors/safetensors.js';
export {
  parseSafetensorsHeader,
  type SafetensorsHeader,
  safetensorsHeaderLength,
  type TensorEntry,
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
  encodeSafetensors,
  encodeSafetensorsHeader,
  type WritableTensor,
  writeSafetensors,
} from './tensors/write-safetensors.js';
export { quoted } from './text/quoted.js';
