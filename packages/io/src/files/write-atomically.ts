import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { CallOptions } from '@rarefy/core';
import { orFileError } from './file-error.js';
import { type FileSystem, nodeFileSystem, type OpenFile } from './file-system.js';

export interface WriteOptions extends CallOptions {
  /** Default the disk of this machine. */
  readonly fileSystem?: FileSystem | undefined;
  /** Called when all is written, before the file takes its place; what it throws ends the write. */
  readonly beforeCommit?: ((path: string) => Promise<void>) | undefined;
}

/**
 * Writes a file whole or not at all: beside its place as `.<name>.<random>.tmp`, fsync, rename, fsync of the folder. Missing
 * folders are made. On any failure the old file stays and the unfinished one is removed; a killed process leaves only the latter.
 * No step is tried again: after a failed fsync nobody knows what is on the disk.
 * @throws InputError when the file system refuses; what `content` and `beforeCommit` throw, as it is; the signal's reason on abort.
 */
export async function writeAtomically(
  path: string,
  content: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: WriteOptions = {},
): Promise<void> {
  const { signal, fileSystem = nodeFileSystem, beforeCommit } = options;
  const folder = dirname(path);
  const unfinished = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const orWriteError = <Value>(operation: Promise<Value>) => orFileError('write', path, operation);

  signal?.throwIfAborted();
  await orWriteError(fileSystem.makeFolder(folder));
  let file: OpenFile | undefined = await orWriteError(fileSystem.create(unfinished));
  try {
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      signal?.throwIfAborted();
      await orWriteError(file.write(chunk));
    }
    signal?.throwIfAborted();
    await orWriteError(file.sync());
    await orWriteError(file.close());
    file = undefined;
    await beforeCommit?.(path);
    await orWriteError(fileSystem.rename(unfinished, path));
  } catch (error) {
    await file?.close().catch(() => {}); // the first failure is the one to tell
    await fileSystem.remove(unfinished).catch(() => {});
    throw error;
  }
  await orWriteError(fileSystem.syncFolder(folder));
}
