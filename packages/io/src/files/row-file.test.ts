import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, InvalidArgumentError, type Matrix, ShapeError } from '@rarefy/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { rowFile } from './row-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const numbers = (rows: number, cols: number, first: number): Matrix => ({
  data: Float32Array.from({ length: rows * cols }, (_, at) => first + at),
  rows,
  cols,
});

test('rows are read in any block, between appends and concurrently', async () => {
  await using file = await rowFile(3, { folder });
  expect(file.rows).toBe(0);
  expect((await file.read(0, 0)).data).toEqual(new Float32Array(0));
  await file.append(numbers(4, 3, 0));
  expect(await file.read(1, 3)).toEqual(numbers(2, 3, 3));
  const view = numbers(5, 3, 9).data.subarray(3, 12);
  await file.append({ data: view, rows: 3, cols: 3 });
  expect(file.rows).toBe(7);
  const blocks = await Promise.all([file.read(0, 7), file.read(3, 5), file.read(6, 7)]);
  expect(blocks.map(({ data }) => [data[0], data.length])).toEqual([
    [0, 21],
    [9, 6],
    [18, 3],
  ]);
});

test('no file stays in the folder: after use, after a failure, and while it is open', async () => {
  const file = await rowFile(2, { folder });
  await file.append(numbers(2, 2, 0));
  if (process.platform === 'linux') expect(await readdir(folder)).toEqual([]);
  await file[Symbol.asyncDispose]();
  await file[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual([]);
  await expect(file.read(0, 1)).rejects.toThrow('is already disposed');
  await expect(file.append(numbers(1, 2, 0))).rejects.toThrow('is already disposed');
  await writeFile(join(folder, 'file'), '');
  await expect(rowFile(2, { folder: join(folder, 'file') })).rejects.toThrow(InputError);
  await expect(rowFile(2, { folder: join(folder, 'absent') })).rejects.toThrow('it does not exist');
});

test('wrong columns, rows out of range, a full disk and an abort are errors', async () => {
  await using file = await rowFile(3, { folder });
  await file.append(numbers(2, 3, 0));
  await expect(file.append(numbers(2, 2, 0))).rejects.toThrow(ShapeError);
  await expect(file.read(1, 3)).rejects.toThrow(InvalidArgumentError);
  const reason = new Error('enough');
  const options = { signal: AbortSignal.abort(reason) };
  await expect(file.read(0, 1, options)).rejects.toBe(reason);
  await expect(file.append(numbers(1, 3, 0), options)).rejects.toBe(reason);

  const handle = await open(join(folder, 'other'), 'w');
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  vi.spyOn(prototype, 'write').mockImplementationOnce(async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  });
  await expect(file.append(numbers(1, 3, 0))).rejects.toThrow('the disk is full');
  expect(file.rows).toBe(2);
  await file.append(numbers(1, 3, 7));
  expect((await file.read(2, 3)).data).toEqual(Float32Array.of(7, 8, 9));
});
