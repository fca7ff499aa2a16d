import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@rarefy/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sha256File } from './digest-file.js';
import { writeAtomically } from './write-atomically.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const bytes = (text: string) => new TextEncoder().encode(text);

test('writes bytes and streams, makes folders, replaces the old file and leaves nothing else', async () => {
  const path = join(folder, 'a', 'b', 'file.txt');
  await writeAtomically(path, bytes('one'));
  expect(await readFile(path, 'utf8')).toBe('one');
  async function* stream() {
    yield bytes('two ');
    yield bytes('three');
  }
  await writeAtomically(path, stream());
  expect(await readFile(path, 'utf8')).toBe('two three');
  await writeAtomically(path, [bytes('four')]);
  expect(await readdir(join(folder, 'a', 'b'))).toEqual(['file.txt']);
  expect(await readFile(path, 'utf8')).toBe('four');
});

test('the new name appears only once everything is written', async () => {
  const path = join(folder, 'file.txt');
  async function* stream() {
    yield bytes('half');
    const names = await readdir(folder);
    expect(names).toHaveLength(1);
    expect(names[0]).toMatch(/^\.file\.txt\.[0-9a-f]{12}\.tmp$/);
    yield bytes(' and half');
  }
  await writeAtomically(path, stream());
  expect(await readdir(folder)).toEqual(['file.txt']);
});

test.each(['writeFile', 'sync'] as const)('a full disk at %s leaves the old file and no other', async (step) => {
  const path = join(folder, 'file.txt');
  await writeFile(path, 'old');
  const handle = await open(path);
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  vi.spyOn(prototype, step).mockImplementationOnce(async () => {
    throw full;
  });
  const failure = writeAtomically(path, bytes('new'));
  await expect(failure).rejects.toThrow(`cannot write ${path}: the disk is full. Free some space`);
  await expect(failure).rejects.toMatchObject({ code: 'RAREFY_INPUT', cause: full });
  expect(await readdir(folder)).toEqual(['file.txt']);
  expect(await readFile(path, 'utf8')).toBe('old');
});

test('a failure or an abort in the middle of a stream is passed on and leaves the old file', async () => {
  const path = join(folder, 'file.txt');
  await writeFile(path, 'old');
  const reason = new Error('enough');
  const controller = new AbortController();
  async function* failing() {
    yield bytes('half');
    throw reason;
  }
  async function* aborting() {
    yield bytes('half');
    controller.abort(reason);
    yield bytes('half');
  }
  await expect(writeAtomically(path, failing())).rejects.toBe(reason);
  await expect(writeAtomically(path, aborting(), { signal: controller.signal })).rejects.toBe(reason);
  await expect(writeAtomically(path, bytes('new'), { signal: controller.signal })).rejects.toBe(reason);
  expect(await readdir(folder)).toEqual(['file.txt']);
  expect(await readFile(path, 'utf8')).toBe('old');
});

test('a folder instead of the file, and a file instead of a folder, are reported', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(writeAtomically(folder, bytes('x'))).rejects.toThrow(InputError);
  await expect(writeAtomically(folder, bytes('x'))).rejects.toThrow('it is a folder. Give the path of a file.');
  await expect(writeAtomically(join(folder, 'file', 'x'), bytes('x'))).rejects.toThrow('is a file, not a folder');
});

test('sha256File gives the published digest (FIPS 180-4, "abc")', async () => {
  const path = join(folder, 'abc');
  await writeFile(path, 'abc');
  expect(await sha256File(path)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  await expect(sha256File(join(folder, 'absent'))).rejects.toThrow('it does not exist. Check the path.');
  await expect(sha256File(folder)).rejects.toThrow('it is a folder. Give the path of a file.');
});
