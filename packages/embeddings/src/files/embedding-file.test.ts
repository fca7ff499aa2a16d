import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError, NotFiniteError, ShapeError } from '@rarefy/core';
import { writeSafetensors } from '@rarefy/io';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEmbeddings, writeEmbeddings } from './embedding-file.js';

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
  path = join(folder, 'embeddings.safetensors');
});
afterAll(() => rm(folder, { recursive: true }));

const text = (content: string) => {
  const data = new TextEncoder().encode(content);
  return { dtype: 'U8', shape: [data.length], data } as const;
};

test('ids with any characters, rows and metadata survive a round trip', async () => {
  const ids = ['a', '', 'é\n"\\', 'e\u0301\n"\\', '\ud800', '__proto__'];
  const embeddings = { data: Float32Array.from({ length: 12 }, (_, index) => Math.sin(index)), rows: 6, cols: 2 };
  const metadata = { fingerprint: 'model@1', task: 'embed' };
  await writeEmbeddings(path, { ids, embeddings, metadata });
  expect(await readEmbeddings(path)).toEqual({ ids, embeddings, metadata });
  await writeEmbeddings(path, { ids: [], embeddings: { data: new Float32Array(0), rows: 0, cols: 3 } });
  expect(await readEmbeddings(path)).toEqual({
    ids: [],
    embeddings: { data: new Float32Array(0), rows: 0, cols: 3 },
    metadata: {},
  });
});

test('inconsistent embeddings are not written', async () => {
  const embeddings = { data: Float32Array.of(1, 2, 3, Number.NaN), rows: 2, cols: 2 };
  const before = await readEmbeddings(path);
  await expect(writeEmbeddings(path, { ids: ['a'], embeddings })).rejects.toThrow(ShapeError);
  await expect(writeEmbeddings(path, { ids: ['a', 'b'], embeddings: { ...embeddings, cols: 3 } })).rejects.toThrow(
    ShapeError,
  );
  await expect(writeEmbeddings(path, { ids: ['a', 'a'], embeddings })).rejects.toThrow(
    'there is the id "a" twice, in rows 0 and 1',
  );
  const notFinite = writeEmbeddings(path, { ids: ['a', 'b'], embeddings });
  await expect(notFinite).rejects.toThrow(NotFiniteError);
  await expect(notFinite).rejects.toThrow('the embedding of "b" (row 1) contains NaN');
  expect(await readEmbeddings(path)).toEqual(before);
});

test('half precision is read; other files and inconsistent files are rejected', async () => {
  const embeddings = { dtype: 'F16', shape: [2, 1], data: Float32Array.of(0.5, 2) } as const;
  await writeSafetensors(path, { embeddings, ids: text('["a","b"]') });
  expect((await readEmbeddings(path)).embeddings).toEqual({ data: Float32Array.of(0.5, 2), rows: 2, cols: 1 });

  const refused = async (tensors: Parameters<typeof writeSafetensors>[1]) => {
    await writeSafetensors(path, tensors);
    return expect(readEmbeddings(path)).rejects;
  };
  await (await refused({ embeddings })).toThrow(InputError);
  await (await refused({ ids: text('[]') })).toThrow('is not an embedding file: it needs');
  await (await refused({ embeddings: { ...embeddings, shape: [2] }, ids: text('["a","b"]') })).toThrow(InputError);
  await (await refused({ embeddings: text('ab'), ids: text('["a","b"]') })).toThrow(InputError);
  await (await refused({ embeddings, ids: text('["a"]') })).toThrow('has 1 ids for 2 rows');
  await (await refused({ embeddings, ids: text('["a","a"]') })).toThrow('has the id "a" twice, in rows 0 and 1');
  await (await refused({ embeddings, ids: text('["2",2]') })).toThrow('has the id "2" twice, in rows 0 and 1');
  for (const ids of [
    '',
    '{}',
    '["a",2.5]',
    '["a",9007199254740993]',
    '["a",null]',
    '["a",["b"]]',
    '["a","b"',
    '["\u00ff',
    'null',
  ]) {
    await (await refused({ embeddings, ids: text(ids) })).toThrow(CorruptFileError);
  }
});
