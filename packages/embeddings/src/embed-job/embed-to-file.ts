import { basename, dirname, join } from 'node:path';
import {
  type CallOptions,
  callOptionNames,
  checkEmbedder,
  checkInteger,
  checkOptions,
  described,
  type Embedder,
  InvalidArgumentError,
  RarefyError,
  startProgress,
} from '@rarefy/core';
import { type FileLock, type FileSystem, lockFile, nodeFileSystem, orFileError, quoted } from '@rarefy/io';
import { formatToWrite, utf8Formats } from '../files/embedding-format.js';
import { importArrow } from '../formats/arrow/arrow-decoder.js';
import { idsPathOf } from '../formats/npy.js';
import { checkText } from '../table/ids.js';
import type { WritableDtype } from '../table/table.js';
import { checkRereadable, type EmbedRows, surveyRows } from './data-rows.js';
import { type BatchOptions, batchOptionNames, type ItemEmbedder, itemEmbedder } from './embed-items.js';
import { fillStore } from './fill-store.js';
import { type EmbeddingManifest, type FailedRow, manifestPath } from './manifest.js';
import { finishedOutput, type ManifestNotes, manifestNoteNames, writeOutput } from './output.js';
import type { EmbedJob } from './shard-format.js';
import { openShardStore } from './shard-store.js';

export interface EmbedToFileOptions<Item = string> extends CallOptions, BatchOptions<Item>, ManifestNotes {
  /**
   * File to write; its extension selects the format, as in writeEmbeddings. The shards are in `<out>.parts` while the job runs, the
   * manifest is `<out>.manifest.json`.
   */
  readonly out: string;
  /** Dtype of the numbers in the file; default float32. */
  readonly dtype?: WritableDtype;
  /** Rows per shard; default 512. An interrupted job computes at most one shard again. */
  readonly shardRows?: number;
  /** True (default): continues the same job, and rejects the output of another one. False: starts over and replaces `out`. */
  readonly resume?: boolean;
  /** True: skips the rows that cannot be embedded. False (default): they are an error that names them, and no file is written. */
  readonly skipFailed?: boolean;
  /** Default: the disk of this machine. */
  readonly fileSystem?: FileSystem;
}

const optionNames = [
  'out',
  'dtype',
  'shardRows',
  'resume',
  'skipFailed',
  'fileSystem',
  ...batchOptionNames,
  ...manifestNoteNames,
  ...callOptionNames,
] satisfies (keyof EmbedToFileOptions)[];

export interface EmbedSummary {
  readonly manifest: EmbeddingManifest;
  /** Number of rows from earlier runs, and of items embedded by this one. */
  readonly resumed: number;
  readonly computed: number;
}

/**
 * Embeds rows into a file, which is written completely or not at all, with one shard of rows in memory at a time. Equal items are
 * embedded once; items are batched by length. Each shard is saved with fsync and checksums. A run that was killed, aborted or ran
 * out of disk space continues when called again, and the file has the same bytes as after an uninterrupted run if the embedder is
 * deterministic. A damaged shard is computed again, with a warning.
 *
 * A row that fails alone and three times is reported in a warning; the others continue.
 * @throws InvalidArgumentError for options out of range, rows that can be read only once, a row that is not `{ id, item }`, and an
 * id that the format cannot represent; MissingDependencyError
 * for `.arrow` without apache-arrow; LockedError if another run writes this file; StateMismatchError if the output of another job
 * exists; InputError for two rows with the same id, data that changes between its two readings, and if the file system refuses;
 * RarefyError for failed rows; CorruptFileError for a finished file that was changed; what the embedder throws if it fails for
 * ten items in a row; the signal's reason on abort.
 */
export async function embedToFile<Item>(
  embedder: Embedder<Item>,
  rows: EmbedRows<Item>,
  options: EmbedToFileOptions<Item>,
): Promise<EmbedSummary> {
  checkOptions(options, optionNames, 'embedToFile');
  checkEmbedder(embedder, 'embedToFile');
  checkRereadable(rows, 'embedToFile');
  if (typeof options?.out !== 'string') {
    throw new InvalidArgumentError(
      `embedToFile needs \`out\`, the path of the file to write, such as 'embeddings.safetensors'; got ${described(options?.out)}`,
    );
  }
  const { out, dtype = 'float32', shardRows: size = 512, signal, fileSystem = nodeFileSystem } = options;
  const format = formatToWrite(out, dtype);
  checkInteger('shardRows', size, 1);
  const items = itemEmbedder(embedder, options);
  signal?.throwIfAborted();
  if (format === 'arrow') await importArrow(); // fails now instead of after all rows are embedded
  const survey = await surveyRows(rows, options, utf8Formats.includes(format) ? checkText : undefined);
  const job: EmbedJob = {
    embedder: embedder.fingerprint,
    dimensions: embedder.capabilities.dimensions,
    dtype,
    shardRows: size,
    rows: survey.rows,
    rowsSha256: survey.sha256,
  };
  await orFileError('write', out, fileSystem.makeFolder(dirname(out)));
  const lock = await lockFile(`${out}.lock`, fileSystem);
  try {
    return await run(job, rows, items, lock, { ...options, fileSystem });
  } finally {
    await lock.release();
  }
}

async function run<Item>(
  job: EmbedJob,
  rows: EmbedRows<Item>,
  embedder: ItemEmbedder<Item>,
  lock: FileLock,
  options: EmbedToFileOptions<Item> & { readonly fileSystem: FileSystem },
): Promise<EmbedSummary> {
  const { out, fileSystem, signal, resume = true, skipFailed = false } = options;
  await removeDrafts(out, fileSystem);
  const parts = { fileSystem, beforeCommit: lock.check };
  const folder = `${out}.parts`;
  if (!resume) await (await openShardStore(folder, job, parts, { ...options, anyJob: true })).clear();
  const store = await openShardStore(folder, job, parts, options);
  if (resume) {
    const manifest = await finishedOutput(out, job, { signal, fileSystem, skipFailed, isUnfinished: !store.isEmpty() });
    if (manifest) {
      await store.clear(); // left by a run that ended between its last two steps
      return { manifest, resumed: job.rows, computed: 0 };
    }
  }

  const progress = startProgress('embed', job.rows, options.onEvent);
  const totals = await fillStore(job, rows, embedder, store, progress, options);
  const { failed } = totals;
  if (failed.length === job.rows || (failed.length > 0 && !skipFailed)) throw failedRows(failed, job.rows);
  progress.end();

  const manifest = await writeOutput(job, store, totals, { ...options, beforeCommit: lock.check });
  await store.clear();
  return { manifest, resumed: totals.resumed, computed: totals.computed };
}

/** Removes the unfinished files of killed runs beside the output. */
async function removeDrafts(out: string, fileSystem: FileSystem): Promise<void> {
  const folder = dirname(out);
  const own = [out, idsPathOf(out), manifestPath(out)].map((path) => `.${basename(path)}.`);
  for (const name of await orFileError('read', folder, fileSystem.list(folder))) {
    const isDraft = own.some((start) => name.startsWith(start) && /^[0-9a-f]{12}\.tmp$/.test(name.slice(start.length)));
    if (isDraft) await orFileError('write', folder, fileSystem.remove(join(folder, name)));
  }
}

function failedRows(failed: readonly FailedRow[], rows: number): RarefyError {
  const named = failed.slice(0, 5).map(({ id, message }) => `${quoted(id)} (${message})`);
  const more = failed.length > named.length ? ` and ${failed.length - named.length} more` : '';
  const fix =
    failed.length === rows
      ? 'correct the data or the model'
      : 'run again to retry them, or skip them (skipFailed, --skip-failed)';
  return new RarefyError(`${failed.length} of ${rows} rows cannot be embedded: ${named.join(', ')}${more}; ${fix}.`);
}
