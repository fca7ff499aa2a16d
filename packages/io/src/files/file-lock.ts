import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { LockedError } from '@rarefy/core';
import { orFileError } from '../messages.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';

/** The holder of a lock, as written in the lock file. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** Start time of the process, to detect a reused process id; empty where the system does not provide it. */
  readonly started: string;
  /** Unique to this lock. */
  readonly token: string;
}

export interface FileLock {
  /** Call it before every change that the lock protects. @throws LockedError if another run has taken over the lock. */
  check(): Promise<void>;
  /** Never throws: if the lock file cannot be removed, the next run takes it over like that of a killed process. */
  release(): Promise<void>;
}

/** Tokens of the locks that this process holds. */
const held = new Set<string>();

/**
 * Takes a lock: a file that names its holder. If the holder was a process of this machine that has ended, its lock is taken over.
 * The lock of another machine is never taken over, because this machine cannot see whether that process still runs.
 * @throws LockedError that names the holder; InputError if the file system refuses.
 */
export async function lockFile(path: string, fileSystem: FileSystem = nodeFileSystem): Promise<FileLock> {
  const token = randomBytes(8).toString('hex');
  const own: Holder = { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? '', token };
  const draft = join(dirname(path), `.${basename(path)}.${token}.tmp`);
  const orWriteError = <Value>(operation: Promise<Value>) => orFileError('write', path, operation);

  await orWriteError(writeHolder(draft, own, fileSystem));
  try {
    for (;;) {
      if (await orWriteError(claim(draft, path, own, fileSystem))) break;
      const other = await readHolder(path, fileSystem);
      if (other === undefined) continue; // released in the meantime
      if (runs(other)) throw lockedBy(path, other);
      await takeAway(path, other, fileSystem);
    }
  } finally {
    await fileSystem.remove(draft).catch(() => {});
  }
  held.add(token);
  await removeDrafts(path, fileSystem);
  return {
    async check() {
      const holder = await readHolder(path, fileSystem);
      if (holder?.token !== token) throw lockedBy(path, holder);
    },
    async release() {
      held.delete(token);
      const holder = await readHolder(path, fileSystem).catch(() => undefined);
      if (holder?.token === token) await fileSystem.remove(path).catch(() => {});
    },
  };
}

async function writeHolder(path: string, holder: Holder, fileSystem: FileSystem): Promise<void> {
  const file = await fileSystem.create(path);
  try {
    await file.write(Buffer.from(JSON.stringify(holder)));
  } finally {
    await file.close();
  }
}

/** A link appears together with its content, so no process reads half a lock. Disks without links get a plain file. */
async function claim(draft: string, path: string, own: Holder, fileSystem: FileSystem): Promise<boolean> {
  try {
    await fileSystem.link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(codeOf(error))) throw error;
  }
  try {
    await writeHolder(path, own, fileSystem);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined if there is no lock. An unreadable lock was left by a process that ended while it wrote it. */
async function readHolder(path: string, fileSystem: FileSystem): Promise<Holder | undefined> {
  let text: string;
  try {
    text = await fileSystem.readText(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    return orFileError('read', path, Promise.reject(error));
  }
  try {
    const { host, pid, started, token } = JSON.parse(text) as Holder;
    if (Number.isSafeInteger(pid)) return { host: String(host), pid, started: String(started), token: String(token) };
  } catch {
    // below
  }
  return { host: hostname(), pid: 0, started: '', token: '' };
}

/** Moves the lock of an ended process aside, and puts it back if it turns out to be the new lock of a third run. */
async function takeAway(path: string, dead: Holder, fileSystem: FileSystem): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    await fileSystem.rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    await orFileError('write', path, Promise.reject(error));
  }
  const moved = await readHolder(aside, fileSystem);
  if (moved?.token !== dead.token) await fileSystem.link(aside, path).catch(() => {});
  await orFileError('write', path, fileSystem.remove(aside));
}

/** Removes the files of runs that were killed while they took the lock. Failures are ignored: the files do no harm. */
async function removeDrafts(path: string, fileSystem: FileSystem): Promise<void> {
  const folder = dirname(path);
  const names = await fileSystem.list(folder).catch(() => []);
  for (const name of names.filter((name) => name.startsWith(`.${basename(path)}.`) && name.endsWith('.tmp'))) {
    const holder = await readHolder(join(folder, name), fileSystem).catch(() => undefined);
    if (holder && !runs(holder)) await fileSystem.remove(join(folder, name)).catch(() => {});
  }
}

function runs({ host, pid, started, token }: Holder): boolean {
  if (host !== hostname()) return true;
  if (pid === process.pid && started === (startOf(pid) ?? '')) return held.has(token);
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false; // EPERM: it runs as another user
  }
  const since = startOf(pid);
  return since === undefined || started === '' || since === started;
}

/** Clock ticks from the boot of the machine to the start of a process; undefined where /proc does not exist. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function lockedBy(path: string, holder: Holder | undefined): LockedError {
  if (holder === undefined)
    return new LockedError(`${path} was removed while its run was still going; run it again, and only once`);
  const { host, pid } = holder;
  const here = host === hostname();
  const fix = here ? 'wait for it, or stop it' : `if it no longer runs, remove ${path}`;
  return new LockedError(`process ${pid}${here ? '' : ` on ${host}`} is writing these files (${path}); ${fix}.`);
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code);
}
