import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { CallOptions } from '@rarefy/core';
import { fileError } from './file-error.js';

/**
 * The digest of a file's bytes as they lie on disk, as hex digits, after whatever `hash` was fed before. Read a MiB at a time.
 * @throws InputError when it cannot be read; the signal's reason when aborted
 */
export async function digestFile(path: string, hash: Hash, { signal }: CallOptions = {}): Promise<string> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      signal?.throwIfAborted();
      hash.update(chunk);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    throw fileError('read', path, cause);
  }
  return hash.digest('hex');
}
