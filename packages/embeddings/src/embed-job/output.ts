import { dirname } from 'node:path';
import { CorruptFileError, InputError, StateMismatchError } from '@rarefy/core';
import { type FileSystem, nodeFileSystem, orFileError, type WriteOptions, writeAtomically } from '@rarefy/io';
import { writeEmbeddings } from '../files/embedding-file.js';
import { idsPathOf } from '../formats/npy.js';
import type { JobTotals } from './fill-store.js';
import {
  type EmbeddingManifest,
  encodeManifest,
  fileDigest,
  manifestPath,
  readEmbeddingManifest,
  verifyEmbeddings,
} from './manifest.js';
import type { EmbedJob } from './shard-format.js';
import { otherJob, type ShardStore, shardRowSource } from './shard-store.js';

/** Notes for the manifest. */
export interface ManifestNotes {
  readonly model?: Readonly<Record<string, string>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly versions?: Readonly<Record<string, string>>;
}

/** Names of {@link ManifestNotes}. */
export const manifestNoteNames = ['model', 'data', 'versions'] satisfies (keyof ManifestNotes)[];

/**
 * Writes the file, then its manifest. The manifest of an older file is removed before, so that a manifest never describes another
 * file than the one beside it.
 */
export async function writeOutput(
  job: EmbedJob,
  store: ShardStore,
  totals: JobTotals,
  options: WriteOptions & ManifestNotes & { readonly out: string; readonly fileSystem: FileSystem },
): Promise<EmbeddingManifest> {
  const { out, fileSystem, signal, beforeCommit, model = {}, data = {}, versions = {} } = options;
  const { ids, rowsOf, failed } = totals;
  const path = manifestPath(out);
  const removeManifest = async () => {
    await beforeCommit?.(out);
    await orFileError('write', path, fileSystem.remove(path));
    await orFileError('write', path, fileSystem.syncFolder(dirname(path)));
  };
  await writeEmbeddings(
    out,
    { ids, embeddings: shardRowSource(store, job, rowsOf), metadata: { embedder: job.embedder } },
    { dtype: job.dtype, signal, fileSystem, beforeCommit: removeManifest },
  );
  const names = [out, ...(/\.npy$/i.test(out) ? [idsPathOf(out)] : [])];
  const files = [];
  for (const name of names) files.push(await fileDigest(name, { signal, fileSystem }));
  const manifest: EmbeddingManifest = {
    version: 1,
    files,
    rows: ids.length,
    dimensions: job.dimensions,
    dtype: job.dtype,
    embedder: job.embedder,
    model,
    data: { ...data, rows: job.rows, sha256: job.rowsSha256 },
    counts: { distinct: totals.distinct, truncated: totals.truncated, failed: failed.length },
    failed,
    shardRows: job.shardRows,
    versions: { node: process.versions.node, ...versions },
  };
  await writeAtomically(path, encodeManifest(manifest), { fileSystem, beforeCommit });
  return manifest;
}

/**
 * Manifest of a finished job, whose file is complete. Undefined if there is no output, or if `isUnfinished`: then shards of this
 * job exist, and it will write the output.
 * @throws StateMismatchError for the output of another job; CorruptFileError if file or manifest were changed.
 */
export async function finishedOutput(
  out: string,
  job: EmbedJob,
  options: WriteOptions & { readonly isUnfinished: boolean; readonly skipFailed?: boolean },
): Promise<EmbeddingManifest | undefined> {
  const { isUnfinished, skipFailed = false, signal, fileSystem } = options;
  const orUnfinished = (error: unknown) => {
    if (isAbsent(error) || (isUnfinished && CorruptFileError.isInstance(error))) return undefined;
    throw error;
  };
  const manifest = await readEmbeddingManifest(out, { fileSystem }).catch(orUnfinished);
  if (manifest) {
    const { embedder, dimensions, dtype, shardRows, data } = manifest;
    const there: EmbedJob = { embedder, dimensions, dtype, shardRows, rows: data.rows, rowsSha256: data.sha256 };
    const isSame = Object.entries(job).every(([key, value]) => there[key as keyof EmbedJob] === value);
    if (!isSame && isUnfinished) return undefined;
    if (!isSame) throw otherJob(out, there, job);
    const whole = await verifyEmbeddings(out, { signal, fileSystem }).catch(orUnfinished);
    return whole && (whole.failed.length === 0 || skipFailed) ? whole : undefined;
  }
  if (isUnfinished) return undefined;
  if (!(await exists(out, options))) return undefined;
  throw new StateMismatchError(
    `${out} exists already and has no manifest. Choose another output, or replace it (resume: false, --no-resume).`,
  );
}

/** Whether an error says that a file does not exist. */
export function isAbsent(error: unknown): boolean {
  return InputError.isInstance(error) && (error.cause as { code?: unknown } | undefined)?.code === 'ENOENT';
}

/** As fileExists, on the given file system. */
async function exists(path: string, { fileSystem = nodeFileSystem }: WriteOptions): Promise<boolean> {
  try {
    await (await orFileError('read', path, fileSystem.open(path))).close();
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
