import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { type CallOptions, callOptionNames, checkOptions } from '@rarefy/core';
import { orFileError } from '../messages.js';
import { type FileSystem, nodeFileSystem, type OpenFile } from './file-system.js';

export interface WriteOptions extends CallOptions {
  /** Default: the disk of this machine. */
  readonly fileSystem?: FileSystem | undefined;
  /** Called when all bytes are written, before the file appears under its name. If it throws, the write fails. */
  readonly beforeCommit?: ((path: string) => Promise<void>) | undefined;
}

/** Names of {@link WriteOptions}, for `checkOptions` in functions whose options extend them. */
export const writeOptionNames = ['fileSystem', 'beforeCommit', ...callOptionNames] satisfies (keyof WriteOptions)[];

/**
 * Writes a file completely or not at all: writes to `.<name>.<random>.tmp` in the same folder, then fsync, rename, and fsync of the
 * folder. Creates missing folders. On any failure the old file stays and the temporary file is removed; a killed process leaves the
 * temporary file behind. No step is retried, because after a failed fsync the state of the disk is unknown.
 * @throws InputError if the file system refuses; what `content` and `beforeCommit` throw, unchanged; the signal's reason on abort.
 */
export async function writeAtomically(
  path: string,
  content: Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: WriteOptions = {},
): Promise<void> {
  checkOptions(options, writeOptionNames, 'writeAtomically');
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
    await file?.close().catch(() => {}); // report the first failure
    await fileSystem.remove(unfinished).catch(() => {});
    throw error;
  }
  await orWriteError(fileSystem.syncFolder(folder));
}
