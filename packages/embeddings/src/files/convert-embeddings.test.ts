import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { convertEmbeddings, openEmbeddings, readEmbeddings, writeEmbeddings } from './embedding-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

const extensions = ['safetensors', 'npy', 'pt', 'parquet', 'arrow'];
const rows = 1500; // more than one batch of a pickle
const data = Float32Array.from({ length: rows * 3 }, (_, index) => Math.fround(Math.sin(index)));

test.each([false, true])(
  'from every format to every other, integer ids %s: the same bytes as writing the new format',
  async (integerIds) => {
    const ids = Array.from({ length: rows }, (_, row) => (integerIds ? `${row * 7 - 3}` : `é ${row}`));
    const file = { ids, embeddings: { data, rows, cols: 3 }, metadata: { b: '2', a: '"1"\n' } };
    for (const extension of extensions)
      await writeEmbeddings(join(folder, `from.${extension}`), { ...file, integerIds });
    for (const [index, from] of extensions.entries()) {
      // Every pair once, half of them with integers.
      for (const to of extensions.filter((_, at) => (at + index) % 2 === Number(integerIds))) {
        const there = join(folder, `to.${to}`);
        expect(await convertEmbeddings(join(folder, `from.${from}`), there)).toEqual({
          rows,
          cols: 3,
          dtype: 'float32',
        });
        expect(await readFile(there), `${from} to ${to}`).toEqual(await readFile(join(folder, `from.${to}`)));
        expect(await readEmbeddings(there)).toEqual({ ...file, ...(integerIds ? { integerIds } : {}) });
      }
    }
  },
);

test('the dtype is kept if possible, is the requested one, and is rejected if the format does not support it', async () => {
  const [half, wide] = [join(folder, 'half.pt'), join(folder, 'wide.parquet')];
  await writeEmbeddings(
    half,
    { ids: ['a'], embeddings: { data: Float32Array.of(0.5, 1), rows: 1, cols: 2 } },
    { dtype: 'bfloat16' },
  );
  expect(await convertEmbeddings(half, join(folder, 'x.safetensors'))).toMatchObject({ dtype: 'bfloat16' });
  expect(await convertEmbeddings(half, wide)).toMatchObject({ dtype: 'float32' });
  expect(await convertEmbeddings(wide, join(folder, 'x.npy'), { dtype: 'float16' })).toMatchObject({
    dtype: 'float16',
  });
  {
    await using reader = await openEmbeddings(join(folder, 'x.npy'));
    expect(reader.dtype).toBe('float16');
  }
  await expect(convertEmbeddings(half, wide, { dtype: 'float16' })).rejects.toThrow('can store float32, not float16');
  await expect(convertEmbeddings(half, join(folder, 'x.csv'))).rejects.toThrow('has no extension of an embedding file');
});

test('converts a file to itself, and a failure leaves the old file', async () => {
  const path = join(folder, 'self.safetensors');
  const file = { ids: ['a', 'b'], embeddings: { data: Float32Array.of(1, 70000), rows: 2, cols: 1 }, metadata: {} };
  await writeEmbeddings(path, file);
  await convertEmbeddings(path, path);
  expect(await readEmbeddings(path)).toEqual(file);
  await expect(convertEmbeddings(path, path, { dtype: 'float16' })).rejects.toThrow(
    '"b" (row 1) contains 70000, which is too large for float16',
  );
  expect(await readEmbeddings(path)).toEqual(file);
});
