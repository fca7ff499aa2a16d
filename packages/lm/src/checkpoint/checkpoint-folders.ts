import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of the complete checkpoints in a folder, oldest first. */
export async function checkpointFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return names
    .filter((name) => /^step-\d{6,}$/.test(name))
    .sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)))
    .map((name) => join(folder, name));
}

/** The folder in the folder of a run that has its checkpoints. */
export const checkpointsName = 'checkpoints';

/** For the message about a folder without a model: the folder to give instead if this is the folder of a run, or an empty text. */
export async function runFolderHint(folder: string): Promise<string> {
  const checkpoints = [
    ...(await checkpointFolders(folder)),
    ...(await checkpointFolders(join(folder, checkpointsName))),
  ];
  const newest = checkpoints.at(-1);
  return newest === undefined ? '' : `. It is the folder of a run; give its newest checkpoint, ${newest}`;
}
