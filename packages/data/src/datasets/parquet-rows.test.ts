import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, counterRandom, InputError } from '@rarefy/core';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { parquetRows } from './parquet-rows.js';

const folder = mkdtempSync(join(tmpdir(), 'rarefy-parquet-'));
const path = join(folder, 'rows.parquet');
afterAll(() => rmSync(folder, { recursive: true }));

const texts = Array.from({ length: 60 }, (_, row) => `a text, number ${row}, ${'again and '.repeat(row)}`);
const messages = texts.map((content, row) => [
  { role: 'user', content },
  ...(row % 2 ? [{ role: 'assistant', content: '' }] : []),
]);
const columnData = [
  { name: 'text', data: texts },
  { name: 'messages', data: messages, type: 'JSON' as const },
];
const whole = Buffer.from(new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 20 })));

async function read(bytes: Buffer, patience?: number, signal?: AbortSignal) {
  writeFileSync(path, bytes);
  const rows: unknown[] = [];
  for await (const row of parquetRows(path, { signal }, patience)) rows.push(row);
  return rows;
}

test('rows of all groups are read in order, with nested columns', async () => {
  expect(await read(whole)).toEqual(texts.map((text, row) => ({ text, messages: messages[row] })));
});

test('64-bit integers become numbers, and exact decimal strings beyond 2^53', async () => {
  const data = [7n, -(2n ** 53n), 2n ** 53n - 1n, 9007199254740993n];
  const bytes = parquetWriteBuffer({ columnData: [{ name: 'id', data, type: 'INT64' }] });
  expect(await read(Buffer.from(new Uint8Array(bytes)))).toEqual(
    [7, '-9007199254740992', 2 ** 53 - 1, '9007199254740993'].map((id) => ({ id })),
  );
});

test('a damaged file is read or rejected, also if the library hangs', async () => {
  const random = counterRandom(6);
  const cases = casesOf(25, 150);
  let refused = 0;
  for (let at = 0; at < cases; at++) {
    const damaged = Buffer.from(whole);
    damaged[Math.floor(random.uniform(2 * at) * whole.length)] = Math.floor(random.uniform(2 * at + 1) * 256);
    const outcome: unknown = await read(damaged, 2_000).catch((error: unknown) => error);
    if (Array.isArray(outcome)) continue;
    expect(outcome).toBeInstanceOf(CorruptFileError);
    refused++;
  }
  expect(refused).toBeGreaterThan(0);
  for (const cut of [0, 3, 11, 12, whole.length >> 1, whole.length - 1]) {
    await expect(read(whole.subarray(0, cut))).rejects.toBeInstanceOf(CorruptFileError);
  }
});

test('a reader is terminated at its time limit and on abort', async () => {
  // The smallest patience stands for a loop that never ends.
  await expect(read(whole, 0.001)).rejects.toThrow('reading it took more than');
  const reason = new Error('enough');
  await expect(read(whole, undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
  const controller = new AbortController();
  const rows = parquetRows(path, { signal: controller.signal });
  for (let row = 0; row < 20; row++) await rows.next(); // the first group
  controller.abort(reason);
  await expect(rows.next()).rejects.toBe(reason);
  await expect(parquetRows(join(folder, 'absent'), {}).next()).rejects.toBeInstanceOf(InputError);
});
