import { type FileHandle, open } from 'node:fs/promises';
import { type CallOptions, CorruptFileError } from '@rarefy/core';
import { orFileError } from './file-error.js';

/** Bytes that are read by position. */
export interface ByteSource {
  /** How errors name it. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Exactly `length` bytes, a buffer of the caller's own. Calls may run at the same time. @throws CorruptFileError past the end. */
  read(position: number, length: number, options?: CallOptions): Promise<Uint8Array>;
}

/**
 * Opens a file; only what is asked for is read. Close it after use.
 * @throws InputError when it cannot be read. Reads throw that too, and the signal's reason on abort.
 */
export async function openFile(path: string, options: CallOptions = {}): Promise<ByteSource & AsyncDisposable> {
  options.signal?.throwIfAborted();
  const file: FileHandle = await orFileError('read', path, open(path));
  try {
    const { size } = await orFileError('read', path, file.stat());
    await orFileError('read', path, file.read(new Uint8Array(1), 0, 1, 0)); // a folder opens, and does not read
    return {
      name: path,
      size,
      async read(position, length, { signal } = {}) {
        checkRange(path, size, position, length);
        const bytes = new Uint8Array(length);
        for (let done = 0; done < length; ) {
          signal?.throwIfAborted();
          const count = Math.min(length - done, 2 ** 26); // an abort waits for 64 MiB at most
          const { bytesRead } = await orFileError('read', path, file.read(bytes, done, count, position + done));
          if (bytesRead === 0) throw new CorruptFileError(`${path} became shorter while it was read. Read it again.`);
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

/** Bytes in memory as a source. */
export function memorySource(bytes: Uint8Array, name = 'the data'): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(position, length, { signal } = {}) {
      signal?.throwIfAborted();
      checkRange(name, bytes.length, position, length);
      return new Uint8Array(bytes.subarray(position, position + length));
    },
  };
}

/** Before anything is allocated: a length may come from a header that lies. */
function checkRange(name: string, size: number, position: number, length: number): void {
  if (position >= 0 && length >= 0 && position + length <= size) return;
  throw new CorruptFileError(
    `${name} ends early: bytes ${position} to ${position + length} are needed, and it has ${size}. Copy or write it again.`,
  );
}
