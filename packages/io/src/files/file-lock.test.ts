import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockedError } from '@rarefy/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFile } from './file-lock.js';
import { nodeFileSystem } from './file-system.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rarefy-lock-'));
  path = join(folder, 'x.lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A process that lives until it is told to end. */
async function process_() {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)']);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return {
    pid: child.pid!,
    kill: () => new Promise((resolve) => child.once('close', resolve) && child.kill('SIGKILL')),
  };
}
const lockOf = (pid: number, host = hostname()) =>
  writeFileSync(path, JSON.stringify({ host, pid, started: '', token: 'other' }));

test('one holder at a time; a released lock is free, and no file stays', async () => {
  const lock = await lockFile(path);
  await lock.check();
  await expect(lockFile(path)).rejects.toThrow(LockedError);
  await expect(lockFile(path)).rejects.toThrow(`process ${process.pid} is writing these files`);
  expect(readdirSync(folder)).toEqual(['x.lock']);
  await lock.release();
  expect(readdirSync(folder)).toEqual([]);
  await (await lockFile(path)).release();
});

test('one of many concurrent runs gets the lock, also if it must take over an old one', async () => {
  for (const isStale of [false, true]) {
    if (isStale) writeFileSync(path, '');
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockFile(path)));
    const got = tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const holders = await Promise.all(
      got.map((lock) =>
        lock.check().then(
          () => 1,
          () => 0,
        ),
      ),
    );
    expect(holders.reduce<number>((sum, one) => sum + one, 0)).toBe(1);
    for (const result of tries) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(LockedError);
    for (const lock of got) await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  }
});

test('the lock of a running process is respected, and taken over once it was killed', async () => {
  const other = await process_();
  lockOf(other.pid);
  await expect(lockFile(path)).rejects.toThrow(`process ${other.pid} is writing these files`);
  await other.kill();
  const lock = await lockFile(path);
  await lock.check();
  await lock.release();
});

test('a process with a reused process id is not the holder', async () => {
  const started = readFileSync('/proc/self/stat', 'utf8').split(' ')[21]!;
  writeFileSync(
    path,
    JSON.stringify({ host: hostname(), pid: process.ppid, started: `${Number(started) + 1}`, token: 'x' }),
  );
  await (await lockFile(path)).release();
});

test('the lock of another machine is never taken over', async () => {
  lockOf(1, 'elsewhere');
  await expect(lockFile(path)).rejects.toThrow('on elsewhere is writing these files');
  await expect(lockFile(path)).rejects.toThrow(`remove ${path}`);
});

test('a holder that lost its lock notices it, and does not release the lock of another', async () => {
  const lock = await lockFile(path);
  lockOf(process.ppid);
  await expect(lock.check()).rejects.toThrow(LockedError);
  await lock.release();
  expect(readdirSync(folder)).toEqual(['x.lock']);
  rmSync(path);
  await expect(lock.check()).rejects.toThrow('was removed while its run was still going');
});

test('disks without links get a plain file', async () => {
  const link = () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
  const fileSystem = { ...nodeFileSystem, link };
  const lock = await lockFile(path, fileSystem);
  await lock.check();
  await expect(lockFile(path, fileSystem)).rejects.toThrow(LockedError);
  await lock.release();
  expect(readdirSync(folder)).toEqual([]);
});
