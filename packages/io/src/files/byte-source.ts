import { type FileHandle, open } from 'node:fs/promises';
import { type CallOptions, CorruptFileError, callOptionNames, checkOptions } from '@rarefy/core';
import { orFileError } from '../messages.js';

/** Random access to bytes. */
export interface ByteSource {
  /** Name for error messages. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset` on, in a new buffer. Calls may run at the same time.
   * @throws CorruptFileError past the end; the signal's reason on abort.
   */
  read(offset: number, length: number, options?: CallOptions): Promise<Uint8Array>;
}

/**
 * Opens a file for reading parts of it. Dispose it after use.
 * @throws InputError if it cannot be read, also from `read`; the signal's reason on abort.
 */
export async function openFile(path: string, options: CallOptions = {}): Promise<ByteSource & AsyncDisposable> {
  checkOptions(options, callOptionNames, 'openFile');
  options.signal?.throwIfAborted();
  const file: FileHandle = await orFileError('read', path, open(path));
  try {
    const { size } = await orFileError('read', path, file.stat());
    await orFileError('read', path, file.read(new Uint8Array(1), 0, 1, 0)); // opening a folder works, reading it fails
    return {
      name: path,
      size,
      async read(offset, length, { signal } = {}) {
        checkRange(path, size, offset, length);
        const bytes = new Uint8Array(length);
        for (let done = 0; done < length; ) {
          signal?.throwIfAborted();
          const count = Math.min(length - done, 2 ** 26); // an abort waits for at most 64 MiB
          const { bytesRead } = await orFileError('read', path, file.read(bytes, done, count, offset + done));
          if (bytesRead === 0)
            throw new CorruptFileError(`${path} became shorter while it was being read. Read it again.`);
          done += bytesRead;
        }
        return bytes;
      },
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Random access to bytes in memory. */
export function memorySource(bytes: Uint8Array, name = 'the data'): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(offset, length, { signal } = {}) {
      signal?.throwIfAborted();
      checkRange(name, bytes.length, offset, length);
      return new Uint8Array(bytes.subarray(offset, offset + length));
    },
  };
}

/** Checks before anything is allocated, because the length may come from an untrusted header. */
function checkRange(name: string, size: number, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new CorruptFileError(
    `${name} is truncated: bytes ${offset} to ${offset + length} are needed, and it has ${size}. Copy or write it again.`,
  );
}
