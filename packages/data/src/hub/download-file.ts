import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { type CallOptions, CorruptFileError, InputError } from '@rarefy/core';
import { digestFile, lockFile, orFileError } from '@rarefy/io';
import { codeOf, type Hub, type Repository } from './hub.js';
import type { HubFile } from './list-repository.js';

/** Connections that may break in a row without one more byte before the download gives up. */
const patience = 5;

export interface DownloadFileOptions extends CallOptions {
  /** Told how many bytes of this file are there, whenever that changes. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Downloads one file of a commit to `target`, and checks size and checksum before it has that name. What an earlier, interrupted
 * call left beside it is gone on with; a file that is there already and is right is not asked for again.
 * @throws InputError when the hub or the disk refuses; CorruptFileError when the bytes are wrong twice; LockedError while another process
 * downloads the same file; the signal's reason on abort, which keeps what came so far.
 */
export async function downloadFile(
  hub: Hub,
  repository: Repository,
  commit: string,
  file: HubFile,
  target: string,
  options: DownloadFileOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  if (await isRight(target, file, options)) return options.onBytes?.(file.size);
  await orFileError('write', target, mkdir(dirname(target), { recursive: true }));
  const partial = join(dirname(target), `.${basename(target)}.part`);
  const lock = await lockFile(`${partial}.lock`);
  try {
    for (let isSecond = false; ; isSecond = true) {
      await fetchRest(addressOf(hub, repository, commit, file.path), hub, file, partial, options);
      if (await isRight(partial, file, options)) break;
      await rm(partial, { force: true });
      if (isSecond) {
        throw new CorruptFileError(
          `${file.path} of ${repository.name} came twice with other bytes than its checksum says; try later, or another endpoint`,
        );
      }
    }
    await orFileError('write', target, rename(partial, target));
  } finally {
    await lock.release();
  }
}

function addressOf(hub: Hub, { type, name }: Repository, commit: string, path: string): string {
  const place = path.split('/').map(encodeURIComponent).join('/');
  return `${hub.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}/resolve/${commit}/${place}`;
}

/** Appends to `partial` until it has all bytes of the file, over as many connections as it takes. */
async function fetchRest(
  address: string,
  hub: Hub,
  { path, size }: HubFile,
  partial: string,
  { signal, onEvent, onBytes }: DownloadFileOptions,
): Promise<void> {
  const output = await orFileError('write', partial, open(partial, 'a'));
  try {
    let have = (await output.stat()).size;
    if (have > size) await output.truncate((have = 0));
    onBytes?.(have);
    for (let failures = 0; have < size; ) {
      const range = have > 0 ? { range: `bytes=${have}-` } : {};
      const headers = { ...range, 'accept-encoding': 'identity' };
      const response = await hub.fetch(address, { headers });
      if (!response.ok) {
        await response.body?.cancel();
        const isRange = response.status === 416;
        if (!isRange || ++failures > patience)
          throw new InputError(`${address} answered ${response.status}; check name, revision and token`);
        await output.truncate((have = 0));
        continue;
      }
      const isRest = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${have}-`);
      if (have > 0 && !isRest) await output.truncate((have = 0)); // the whole file comes
      const before = have;
      let why = 'the connection ended early';
      try {
        for await (const chunk of Readable.fromWeb(response.body as ReadableStream<Uint8Array>)) {
          if (have + chunk.length > size)
            throw new CorruptFileError(`${address} sends more than the ${size} bytes of ${path}`);
          await orFileError('write', partial, output.writeFile(chunk));
          have += chunk.length;
          onBytes?.(have);
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (InputError.isInstance(error) || CorruptFileError.isInstance(error)) throw error;
        why = codeOf(error as Error);
      }
      if (have === size) break;
      failures = have > before ? 0 : failures + 1;
      if (failures > patience)
        throw new InputError(`${address} broke off at byte ${have} of ${size} (${why}); run it again to go on`);
      const message = `${path} broke off at byte ${have} of ${size} (${why}); going on from there`;
      onEvent?.({ type: 'work-message', task: 'download', message });
    }
    await orFileError('write', partial, output.sync());
  } finally {
    await output.close();
  }
}

/** Whether the file at `path` has the size and the checksum that the hub tells. */
async function isRight(path: string, { size, checksum }: HubFile, options: CallOptions): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.size !== size) return false;
  if (checksum === undefined) return true;
  const hash = createHash(checksum.kind === 'sha256' ? 'sha256' : 'sha1');
  if (checksum.kind === 'git-blob') hash.update(`blob ${size}\0`);
  return (await digestFile(path, hash, options)) === checksum.value.toLowerCase();
}
