import { dirname } from 'node:path';
import { type FileSystem, orFileError, type WriteOptions, writeAtomically } from '@rarefy/io';
import { writeEmbeddings } from '../files/embedding-file.js';
import { idsPathOf } from '../formats/npy/npy-embeddings.js';
import type { JobTotals } from './fill-store.js';
import { type EmbeddingManifest, encodeManifest, fileDigest, manifestPath } from './manifest.js';
import type { EmbedJob } from './shard-format.js';
import { shardRowSource } from './shard-rows.js';
import type { ShardStore } from './shard-store.js';

/** What the caller notes for the manifest. */
export interface ManifestNotes {
  readonly model?: Readonly<Record<string, string>>;
  readonly data?: Readonly<Record<string, string>>;
  readonly versions?: Readonly<Record<string, string>>;
}

/**
 * Writes the file, then its manifest. The manifest of an older file goes first, so that a manifest never tells of other bytes than
 * those beside it.
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
  const forget = async () => {
    await beforeCommit?.(out);
    await orFileError('write', path, fileSystem.remove(path));
    await orFileError('write', path, fileSystem.syncFolder(dirname(path)));
  };
  await writeEmbeddings(
    out,
    { ids, embeddings: shardRowSource(store, job, rowsOf), metadata: { embedder: job.embedder } },
    { dtype: job.dtype, signal, fileSystem, beforeCommit: forget },
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
