import { basename, dirname, join } from 'node:path';
import { type CallOptions, type Embedder, InvalidArgumentError, RarefyError } from '@rarefy/core';
import { type FileLock, type FileSystem, lockFile, nodeFileSystem, orFileError, quoted } from '@rarefy/io';
import { formatToWrite, utf8Formats } from '../files/embedding-format.js';
import { importArrow } from '../formats/arrow/write-arrow-embeddings.js';
import { idsPathOf } from '../formats/npy/npy-embeddings.js';
import type { WritableDtype } from '../table/embedding-dtype.js';
import { checkText } from '../table/unicode-text.js';
import { type EmbedRows, surveyRows } from './data-rows.js';
import { type BatchOptions, type ItemEmbedder, itemEmbedder } from './embed-items.js';
import { fillStore } from './fill-store.js';
import { finishedOutput } from './finished-output.js';
import { type EmbeddingManifest, type FailedRow, manifestPath } from './manifest.js';
import type { EmbedJob } from './shard-format.js';
import { openShardStore } from './shard-store.js';
import { type ManifestNotes, writeOutput } from './write-output.js';

export interface EmbedToFileOptions<Item = string> extends CallOptions, BatchOptions<Item>, ManifestNotes {
  /** File to write; its extension names the format, as in writeEmbeddings. While the job runs its shards lie in `<out>.parts`; its manifest is `<out>.manifest.json`. */
  readonly out: string;
  /** How the file holds numbers; default float32. */
  readonly dtype?: WritableDtype;
  /** Rows that are saved at a time; default 512. A stopped job computes at most so many again. */
  readonly shardRows?: number;
  /** False begins anew, over whatever is at `out`. Default true: goes on with the same job, and refuses the output of another. */
  readonly resume?: boolean;
  /** True leaves out the rows that cannot be embedded. Default false: then there is no file, and an error that names them. */
  readonly skipFailed?: boolean;
  /** Default the disk of this machine. */
  readonly fileSystem?: FileSystem;
}

export interface EmbedSummary {
  readonly manifest: EmbeddingManifest;
  /** Rows taken from what earlier runs left, and items embedded by this one. */
  readonly resumed: number;
  readonly computed: number;
}

/**
 * Embeds rows into a file that is there whole or not at all, in memory for one shard of rows. Equal items are embedded once;
 * items are batched by length. Each shard is saved with fsync and checksums as soon as it is computed, so a run that was
 * killed, aborted or out of disk goes on when called again, to the same bytes as a run that was not stopped (where the
 * embedder is deterministic). A damaged shard is computed again, with a warning.
 *
 * A row that cannot be embedded, alone and three times, is told in a warning; the others go on.
 * @throws InvalidArgumentError for options out of range, and for an id that the format cannot hold; MissingDependencyError for `.arrow`
 * without apache-arrow; LockedError when another run writes this file; StateMismatchError when another job's output is there; InputError for an
 * id that stands for two rows, data that changes between its two readings, failed rows, and when the file system refuses;
 * CorruptFileError for a finished file that was changed; what the embedder throws when nothing can be embedded; the
 * signal's reason on abort.
 */
export async function embedToFile<Item>(
  embedder: Embedder<Item>,
  rows: EmbedRows<Item>,
  options: EmbedToFileOptions<Item>,
): Promise<EmbedSummary> {
  const { out, dtype = 'float32', shardRows: size = 512, signal, fileSystem = nodeFileSystem } = options;
  const format = formatToWrite(out, dtype);
  if (!(Number.isInteger(size) && size >= 1)) {
    throw new InvalidArgumentError(`shardRows must be an integer ≥ 1, got ${size}`);
  }
  const items = itemEmbedder(embedder, options);
  signal?.throwIfAborted();
  // Better now than when all rows are embedded.
  if (format === 'arrow') await importArrow();
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
  const { out, fileSystem, resume = true, onEvent } = options;
  await removeDrafts(out, fileSystem);
  const parts = { fileSystem, beforeCommit: lock.check };
  const folder = `${out}.parts`;
  if (!resume) await (await openShardStore(folder, job, parts, { ...options, anyJob: true })).clear();
  const store = await openShardStore(folder, job, parts, options);
  if (resume) {
    const manifest = await finishedOutput(out, job, { ...options, isUnfinished: !store.isEmpty() });
    if (manifest) {
      await store.clear(); // a run that ended between its last two steps
      return { manifest, resumed: job.rows, computed: 0 };
    }
  }

  const started = performance.now();
  onEvent?.({ type: 'work-start', task: 'embed', total: job.rows });
  const totals = await fillStore(job, rows, embedder, store, options);
  const { failed } = totals;
  if (failed.length === job.rows || (failed.length > 0 && !options.skipFailed)) throw failedRows(failed, job.rows);
  onEvent?.({ type: 'work-end', task: 'embed', done: job.rows, elapsedMs: performance.now() - started });

  const manifest = await writeOutput(job, store, totals, { ...options, beforeCommit: lock.check });
  await store.clear();
  return { manifest, resumed: totals.resumed, computed: totals.computed };
}

/** What killed runs left beside the output, unfinished. */
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
      ? 'mend the data or the model'
      : 'run again to try them again, or leave them out (skipFailed, --skip-failed)';
  return new RarefyError(`${failed.length} of ${rows} rows cannot be embedded: ${named.join(', ')}${more}; ${fix}.`);
}
