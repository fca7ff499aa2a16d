import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { type CallOptions, CorruptFileError, InputError, startProgress } from '@rarefy/core';
import { digestFile, insideFolder, lockFile, orFileError } from '@rarefy/io';
import { codeOf, type Hub, type Repository } from './hub.js';
import type { HubFile } from './list-repository.js';

/** Connections that may break in a row without delivering a byte. */
const maxFailures = 5;

interface DownloadFileOptions extends CallOptions {
  /** Receives the number of bytes of this file on disk whenever it changes. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Downloads files of one commit into a folder, one after the other, and continues an interrupted download. `work-progress` counts
 * bytes.
 * @returns the paths on disk, in order
 * @throws InputError if the hub or the disk refuses; CorruptFileError if the bytes are wrong twice; LockedError while another
 * process downloads the same file; the signal's reason on abort, which keeps the bytes received so far.
 */
export async function downloadFiles(
  hub: Hub,
  repository: Repository,
  commit: string,
  files: readonly HubFile[],
  folder: string,
  { signal, onEvent }: CallOptions,
): Promise<string[]> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const progress = startProgress('download', total, onEvent);
  let done = 0;
  let reportedAt = 0;
  for (const file of files) {
    await insideFolder(folder, file.path, repository.name);
    const before = done;
    const onBytes = (bytes: number) => {
      if (bytes < file.size && performance.now() - reportedAt < 100) return;
      reportedAt = performance.now();
      progress.report(before + bytes);
    };
    await downloadFile(hub, repository, commit, file, join(folder, file.path), { signal, onEvent, onBytes });
    done = before + file.size;
  }
  progress.end(done);
  return files.map(({ path }) => join(folder, path));
}

/**
 * Downloads one file to `target` and checks size and checksum before it gets that name. Continues the partial file of an
 * interrupted call, and sends no request if the correct file is there already.
 */
async function downloadFile(
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
          `${file.path} of ${repository.name} was received twice with a wrong checksum; try later, or use another endpoint`,
        );
      }
    }
    await orFileError('write', target, rename(partial, target));
  } finally {
    await lock.release();
  }
}

function addressOf(hub: Hub, { type, name }: Repository, commit: string, path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return `${hub.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}/resolve/${commit}/${encoded}`;
}

/** Appends to `partial` until it has all bytes of the file, with as many connections as needed. */
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
        if (!isRange || ++failures > maxFailures)
          throw new InputError(`${address} answered ${response.status}; check name, revision and token`);
        await output.truncate((have = 0));
        continue;
      }
      const isRest = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${have}-`);
      if (have > 0 && !isRest) await output.truncate((have = 0)); // the server sends the whole file
      const before = have;
      let why = 'the connection ended early';
      try {
        for await (const chunk of Readable.fromWeb(response.body as ReadableStream<Uint8Array>)) {
          if (have + chunk.length > size)
            throw new CorruptFileError(`${address} sent more than the ${size} bytes of ${path}`);
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
      if (failures > maxFailures)
        throw new InputError(`${address} broke off at byte ${have} of ${size} (${why}); run it again to continue`);
      const message = `${path} broke off at byte ${have} of ${size} (${why}); continuing from there`;
      onEvent?.({ type: 'work-message', task: 'download', message });
    }
    await orFileError('write', partial, output.sync());
  } finally {
    await output.close();
  }
}

/** Whether the file at `path` has the size and checksum that the hub reports. */
async function isRight(path: string, { size, checksum }: HubFile, { signal }: CallOptions): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.size !== size) return false;
  if (checksum === undefined) return true;
  const hash = createHash(checksum.kind === 'sha256' ? 'sha256' : 'sha1');
  if (checksum.kind === 'git-blob') hash.update(`blob ${size}\0`);
  return (await digestFile(path, hash, { signal })) === checksum.value.toLowerCase();
}
