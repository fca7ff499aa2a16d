import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError, InvalidArgumentError, NotFiniteError } from '@rarefy/core';
import { fromBfloat16, fromFloat16, memorySource, toBfloat16, toFloat16 } from '@rarefy/io';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddings, readEmbeddings, writeEmbeddings } from './embedding-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

const rows = 40;
const cols = 7;
const ids = Array.from({ length: rows }, (_, row) => `row ${row}`);
const data = Float32Array.from({ length: rows * cols }, (_, index) => Math.sin(index) * 3);
const metadata = { embedder: 'model@1', note: 'é\n' };
const dtypes = [
  ['float32', data],
  ['float16', fromFloat16(toFloat16(data))],
  ['bfloat16', fromBfloat16(toBfloat16(data))],
] as const;
const extensions = ['safetensors', 'npy', 'pt', 'parquet', 'arrow'];
/** What a format lacks, as the error says it. */
const lacks: Readonly<Record<string, string>> = {
  'npy bfloat16': 'can store float32 or float16, not bfloat16; write .safetensors or .pt',
  'arrow bfloat16': 'can store float32 or float16, not bfloat16',
  'parquet float16': 'can store float32, not float16',
  'parquet bfloat16': 'can store float32, not bfloat16',
};

test.each(extensions.flatMap((extension) => dtypes.map(([dtype, values]) => [extension, dtype, values] as const)))(
  '%s, %s: blocks are read as written, in any order and concurrently, from memory and from a row source',
  async (extension, dtype, values) => {
    const path = join(folder, `${dtype}.${extension}`);
    const embeddings = { data, rows, cols };
    const lack = lacks[`${extension} ${dtype}`];
    if (lack !== undefined) {
      await expect(writeEmbeddings(path, { ids, embeddings }, { dtype })).rejects.toThrow(lack);
      return;
    }
    await writeEmbeddings(path, { ids, embeddings, metadata }, { dtype });
    await using reader = await openEmbeddings(path);
    expect(reader).toMatchObject({ ids, integerIds: false, metadata, dtype, rows, cols });
    const blocks = [
      [39, 40],
      [0, 40],
      [5, 6],
      [13, 29],
      [7, 7],
    ] as const;
    const read = await Promise.all(blocks.map(([start, end]) => reader.read(start, end)));
    for (const [index, [start, end]] of blocks.entries()) {
      expect(read[index]).toEqual({ data: values.slice(start * cols, end * cols), rows: end - start, cols });
    }
    read[0]!.data.fill(0); // the caller's own
    expect((await reader.read(39, 40)).data).toEqual(values.slice(39 * cols));
    for (const [start, end] of [
      [-1, 2],
      [3, 41],
      [3, 2],
      [0.5, 2],
      [0, Number.NaN],
    ] as const) {
      await expect(reader.read(start, end)).rejects.toThrow(InvalidArgumentError);
    }
    const reason = new Error('enough');
    await expect(reader.read(0, 40, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

    const again = join(folder, `again-${dtype}.${extension}`);
    await writeEmbeddings(again, { ids, embeddings: reader, metadata }, { dtype });
    expect(await readFile(again)).toEqual(await readFile(path));
  },
);

test('integer ids stay integers; empty matrices are valid', async () => {
  for (const extension of extensions) {
    const path = join(folder, `sizes.${extension}`);
    const numbered = { ids: ['0', '-7', '123456'], embeddings: { data: Float32Array.of(1, 2, 3), rows: 3, cols: 1 } };
    await writeEmbeddings(path, { ...numbered, integerIds: true });
    expect(await readEmbeddings(path)).toEqual({ ...numbered, integerIds: true, metadata: {} });
    const large = { ids: ['9007199254740993'], embeddings: { data: new Float32Array(1), rows: 1, cols: 1 } };
    await writeEmbeddings(path, { ...large, integerIds: true });
    expect(await readEmbeddings(path)).toMatchObject(large);
    const none = { ids: [], embeddings: { data: new Float32Array(0), rows: 0, cols: 5 } };
    await writeEmbeddings(path, none);
    expect(await readEmbeddings(path)).toMatchObject(extension === 'parquet' ? { embeddings: { rows: 0 } } : none);
    const narrow = { ids: ['a'], embeddings: { data: new Float32Array(0), rows: 1, cols: 0 } };
    if (extension === 'parquet') await expect(writeEmbeddings(path, narrow)).rejects.toThrow('without columns');
    else {
      await writeEmbeddings(path, narrow);
      expect(await readEmbeddings(path)).toMatchObject(narrow);
    }
    const odd = { ids: ['1', '01', '2'], embeddings: numbered.embeddings, integerIds: true };
    await expect(writeEmbeddings(path, odd)).rejects.toThrow('the id "01" (row 1) is not a 64-bit integer');
    await expect(writeEmbeddings(path, { ...odd, ids: ['1', '9223372036854775808', '2'] })).rejects.toThrow('(row 1)');
  }
});

test('numbers too large for a dtype are rejected with their id, also from a row source', async () => {
  const path = join(folder, 'large.safetensors');
  const values = Float32Array.of(0, 65519, 65520, 1);
  const embeddings = { data: values, rows: 2, cols: 2 };
  const half = writeEmbeddings(path, { ids: ['a', 'b'], embeddings }, { dtype: 'float16' });
  await expect(half).rejects.toThrow(NotFiniteError);
  await expect(half).rejects.toThrow(
    'the embedding of "b" (row 1) contains 65520, which is too large for float16; write float32',
  );
  values[3] = 3.4e38;
  await expect(writeEmbeddings(path, { ids: ['a', 'b'], embeddings }, { dtype: 'bfloat16' })).rejects.toThrow('row 1');
  await expect(writeEmbeddings(path, { ids: ['a', 'b'], embeddings }, { dtype: 'float64' as never })).rejects.toThrow(
    'dtype must be one of float32, float16, bfloat16, got float64',
  );
  const failing = { rows: 2, cols: 2, read: () => Promise.reject(new Error('gone')) };
  await expect(writeEmbeddings(path, { ids: ['a', 'b'], embeddings: failing })).rejects.toThrow('gone');
  const short = { rows: 2, cols: 2, read: async () => ({ data: new Float32Array(3), rows: 2, cols: 2 }) };
  await expect(writeEmbeddings(path, { ids: ['a', 'b'], embeddings: short })).rejects.toThrow(
    'requested, got 3 numbers',
  );
  await expect(readFile(path)).rejects.toThrow('ENOENT');
});

test('the extension selects the format, and the content must match it; the content decides for other extensions', async () => {
  const embeddings = { data: Float32Array.of(1), rows: 1, cols: 1 };
  await expect(writeEmbeddings(join(folder, 'a.bin'), { ids: ['a'], embeddings })).rejects.toThrow(
    'has no extension of an embedding file; use one of .safetensors, .npy, .pt, .pth, .parquet, .arrow',
  );
  await writeEmbeddings(join(folder, 'A.SafeTensors'), { ids: ['a'], embeddings });
  await rename(join(folder, 'A.SafeTensors'), join(folder, 'a.bin'));
  expect((await readEmbeddings(join(folder, 'a.bin'))).embeddings).toEqual(embeddings);
  await rename(join(folder, 'a.bin'), join(folder, 'a.npy'));
  await expect(readEmbeddings(join(folder, 'a.npy'))).rejects.toThrow(
    'has the extension of a npy file and the content of a safetensors file. Correct its extension.',
  );
  await writeFile(join(folder, 'b.bin'), 'text');
  await expect(readEmbeddings(join(folder, 'b.bin'))).rejects.toThrow(
    'neither its extension nor its content is of a known format',
  );
  await expect(readEmbeddings(join(folder, 'absent.npy'))).rejects.toThrow('it does not exist');
  await expect(readEmbeddings(folder)).rejects.toThrow('it is a folder. Give the path of a file.');
  await writeEmbeddings(join(folder, 'c.npy'), { ids: ['a'], embeddings });
  await rm(join(folder, 'c.ids.json'));
  const orphan = readEmbeddings(join(folder, 'c.npy'));
  await expect(orphan).rejects.toThrow(InputError);
  await expect(orphan).rejects.toThrow('c.ids.json');
});

test('a file that shrinks while it is open is an error', async () => {
  const path = join(folder, 'shrinks.safetensors');
  await writeEmbeddings(path, { ids, embeddings: { data, rows, cols } });
  await using reader = await openEmbeddings(path);
  await writeFile(path, 'short');
  await expect(reader.read(30, 40)).rejects.toThrow('became shorter while it was being read');
  await expect(memorySource(new Uint8Array(4)).read(2, 3)).rejects.toThrow(CorruptFileError);
});
