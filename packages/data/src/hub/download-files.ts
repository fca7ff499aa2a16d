import { join } from 'node:path';
import type { CallOptions } from '@rarefy/core';
import { insideFolder } from '@rarefy/io';
import { downloadFile } from './download-file.js';
import type { Hub, Repository } from './hub.js';
import type { HubFile } from './list-repository.js';

/**
 * Downloads files of a commit into a folder, one after the other; `work-progress` counts bytes. Goes on where an earlier call ended.
 * @returns their paths on disk, in order
 * @throws what `downloadFile` throws
 */
export async function downloadFiles(
  hub: Hub,
  repository: Repository,
  commit: string,
  files: readonly HubFile[],
  folder: string,
  options: CallOptions,
): Promise<string[]> {
  const task = 'download';
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const started = performance.now();
  options.onEvent?.({ type: 'work-start', task, total });
  let done = 0;
  let toldAt = 0;
  for (const file of files) {
    await insideFolder(folder, file.path, repository.name);
    const before = done;
    const onBytes = (bytes: number) => {
      if (bytes < file.size && performance.now() - toldAt < 100) return;
      toldAt = performance.now();
      options.onEvent?.({ type: 'work-progress', task, done: before + bytes, total });
    };
    await downloadFile(hub, repository, commit, file, join(folder, file.path), { ...options, onBytes });
    done = before + file.size;
  }
  options.onEvent?.({ type: 'work-end', task, done, elapsedMs: performance.now() - started });
  return files.map(({ path }) => join(folder, path));
}
