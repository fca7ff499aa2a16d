import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { CorruptFileError } from '@rarefy/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkName, fileExists, insideFolder, isSameFile } from './paths.js';

let folder: string;
let root: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
  root = join(folder, 'root');
  await mkdir(join(root, 'inner'), { recursive: true });
  await writeFile(join(folder, 'secret'), '');
  await writeFile(join(root, 'shard-0.safetensors'), '');
  await symlink(folder, join(root, 'out'));
  await symlink(join(folder, 'secret'), join(root, 'inner', 'file'));
  await symlink(join(folder, 'absent'), join(root, 'dangling'));
});
afterAll(() => rm(folder, { recursive: true }));

test.each([
  ['../x', 'a part of it is ..'],
  ['a/../../x', 'a part of it is ..'],
  ['..', 'a part of it is ..'],
  ['.', 'a part of it is .'],
  ['a/./b', 'a part of it is .'],
  ['/etc/passwd', 'it is absolute'],
  ['//host/share', 'it is absolute'],
  ['a//b', 'a part of it is empty'],
  ['a/', 'a part of it is empty'],
  ['', 'it is empty'],
  ['C:\\x', 'it contains a backslash'],
  ['\\\\host\\share', 'it contains a backslash'],
  ['..\\x', 'it contains a backslash'],
  ['C:x', 'it contains a colon'],
  ['file:///x', 'it contains a colon'],
  ['x\0.safetensors', 'it contains a control character'],
  ['x\n', 'it contains a control character'],
  ['x'.repeat(300), 'a part of it is longer than 255 bytes'],
  ['é'.repeat(128), 'a part of it is longer than 255 bytes'],
  ['a/'.repeat(40).concat('a'), 'more than 32 parts'],
  ['.. /x', 'a part of it ends in a dot or a space'],
  ['x...', 'a part of it ends in a dot or a space'],
  ['NUL', 'the name of a device'],
  ['a/com1.txt', 'the name of a device'],
  [7, 'it is of type number'],
  [undefined, 'it is of type undefined'],
  [{ toString: () => '../x' }, 'it is of type object'],
])('refused: %j', async (name, problem) => {
  await expect(insideFolder(root, name, 'manifest.json')).rejects.toThrow(problem);
  await expect(insideFolder(root, name)).rejects.toThrow(CorruptFileError);
  expect(() => checkName(name, 'manifest.json')).toThrow('manifest.json names a file ');
});

test('symbolic links below the folder are rejected, in the middle and at the end, also dangling ones', async () => {
  for (const name of ['out', 'out/secret', 'inner/file', 'dangling', 'out/absent/x']) {
    await expect(insideFolder(root, name), name).rejects.toThrow('is a symbolic link');
  }
  await expect(insideFolder(root, 'shard-0.safetensors/x')).rejects.toThrow('is a file, not a folder');
});

test('existing and new files are allowed; the folder itself may be a link', async () => {
  for (const name of ['shard-0.safetensors', 'inner/shard 1', 'new/shard-é.bin', '...x', '-', '~', 'x'.repeat(255)]) {
    expect(await insideFolder(root, name)).toBe(join(root, name));
  }
  const link = join(folder, 'link');
  await symlink(root, link);
  expect(await insideFolder(link, 'shard-0.safetensors')).toBe(join(link, 'shard-0.safetensors'));
});

test('any name is rejected or leads below the folder', async () => {
  const part = fc.oneof(
    fc.constantFrom('..', '.', '', '/', '\\', 'C:', '\0', 'a', 'out', '...', ' '),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  const name = fc.array(part, { maxLength: 5 }).chain((parts) => fc.constantFrom(parts.join('/'), parts.join('')));
  await fc.assert(
    fc.asyncProperty(name, async (name) => {
      try {
        expect(resolve(await insideFolder(root, name)).startsWith(root + sep)).toBe(true);
      } catch (error) {
        if (!CorruptFileError.isInstance(error)) throw error;
      }
    }),
    { seed: 6, numRuns: 2000 },
  );
});

test('fileExists sees files, folders and links to them; isSameFile follows links', async () => {
  const secret = join(folder, 'secret');
  const link = join(root, 'inner', 'file');
  expect(await Promise.all([secret, folder, link].map(fileExists))).toEqual([true, true, true]);
  expect(await Promise.all([join(folder, 'absent'), join(root, 'dangling')].map(fileExists))).toEqual([false, false]);
  expect(await isSameFile(link, secret)).toBe(true);
  expect(await isSameFile(link, join(root, 'shard-0.safetensors'))).toBe(false);
  expect(await isSameFile(join(folder, 'absent'), join(folder, 'absent'))).toBe(false);
});
