import { createHash } from 'node:crypto';
import type { CallOptions } from '@rarefy/core';
import { digestFile } from './digest-file.js';

/** SHA-256 of a file's bytes as they lie on disk, as 64 hex digits. @throws InputError when it cannot be read. */
export function sha256File(path: string, options?: CallOptions): Promise<string> {
  return digestFile(path, createHash('sha256'), options);
}
