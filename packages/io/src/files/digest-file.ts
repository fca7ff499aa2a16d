import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type CallOptions, callOptionNames, checkOptions } from '@rarefy/core';
import { fileError } from '../messages.js';

/**
 * Adds the bytes of a file to `hash`, 1 MiB at a time, and returns the digest in hex.
 * @throws InputError if the file cannot be read; the signal's reason on abort.
 */
export async function digestFile(path: string, hash: Hash, options: CallOptions = {}): Promise<string> {
  checkOptions(options, callOptionNames, 'digestFile');
  const { signal } = options;
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

/** SHA-256 of the bytes of a file, as 64 hex digits. @throws what {@link digestFile} throws. */
export async function sha256File(path: string, options: CallOptions = {}): Promise<string> {
  checkOptions(options, callOptionNames, 'sha256File');
  return digestFile(path, createHash('sha256'), options);
}
