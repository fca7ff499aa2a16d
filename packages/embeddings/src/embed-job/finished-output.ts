import { CorruptFileError, InputError, StateMismatchError } from '@rarefy/core';
import type { WriteOptions } from '@rarefy/io';
import { type EmbeddingManifest, fileDigest, readEmbeddingManifest, verifyEmbeddings } from './manifest.js';
import type { EmbedJob } from './shard-format.js';
import { otherJob } from './shard-store.js';

/**
 * The manifest of a job that is done: its file is there, every byte of it. Undefined when there is no output, and when shards tell
 * that this job was about to write it.
 * @throws StateMismatchError for the output of another job; CorruptFileError when file or manifest were changed.
 */
export async function finishedOutput(
  out: string,
  job: EmbedJob,
  options: WriteOptions & { readonly isUnfinished: boolean; readonly skipFailed?: boolean },
): Promise<EmbeddingManifest | undefined> {
  const { isUnfinished, skipFailed = false } = options;
  const orUnfinished = (error: unknown) => {
    if (isAbsent(error) || (isUnfinished && CorruptFileError.isInstance(error))) return undefined;
    throw error;
  };
  const manifest = await readEmbeddingManifest(out, options).catch(orUnfinished);
  if (manifest) {
    const { embedder, dimensions, dtype, shardRows, data } = manifest;
    const there: EmbedJob = { embedder, dimensions, dtype, shardRows, rows: data.rows, rowsSha256: data.sha256 };
    const isSame = Object.entries(job).every(([key, value]) => there[key as keyof EmbedJob] === value);
    if (!isSame && isUnfinished) return undefined;
    if (!isSame) throw otherJob(out, there, job);
    const whole = await verifyEmbeddings(out, options).catch(orUnfinished);
    return whole && (whole.failed.length === 0 || skipFailed) ? whole : undefined;
  }
  if (isUnfinished) return undefined;
  const isThere = await fileDigest(out, options).then(
    () => true,
    (error: unknown) => {
      if (isAbsent(error)) return false;
      throw error;
    },
  );
  if (!isThere) return undefined;
  throw new StateMismatchError(
    `${out} is there already, and no manifest tells what it is. Choose another output, or replace it (resume: false, --no-resume).`,
  );
}

function isAbsent(error: unknown): boolean {
  return InputError.isInstance(error) && (error.cause as { code?: unknown } | undefined)?.code === 'ENOENT';
}
