import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, InputError, StateMismatchError } from '@rarefy/core';
import { writeAtomically } from '@rarefy/io';
import { changedSettings, type RunSettings } from './run-settings.js';

const runFileName = 'run.json';

/** What `run.json` in the folder of a run says about it, for people and for a resume. */
export interface RunFile {
  /** Settings that a resumed run must share, besides those that its trainer checks. */
  readonly fixed: RunSettings;
  /** Anything else, as JSON. */
  readonly [name: string]: unknown;
}

/** Writes `run.json` into the folder of a run. Creates missing folders. */
export async function writeRunFile(folder: string, run: RunFile, { signal }: CallOptions = {}): Promise<void> {
  await writeAtomically(join(folder, runFileName), Buffer.from(`${JSON.stringify(run, null, 2)}\n`), { signal });
}

/**
 * Checks that a run which goes on has the fixed settings of its `run.json`.
 * @throws StateMismatchError naming the first setting that differs; InputError if the file cannot be read.
 */
export async function checkRunFile(folder: string, fixed: RunSettings): Promise<void> {
  const path = join(folder, runFileName);
  let saved: RunSettings;
  try {
    saved = (JSON.parse(await readFile(path, 'utf8')) as Partial<RunFile>).fixed ?? {};
  } catch (cause) {
    throw new InputError(`cannot read ${path}, which a resumed run needs: ${(cause as Error).message}`, { cause });
  }
  const [change] = changedSettings(saved, fixed);
  if (change === undefined) return;
  throw new StateMismatchError(
    `${folder} is a run with other settings: ${change}; use the same, or choose another folder`,
  );
}
