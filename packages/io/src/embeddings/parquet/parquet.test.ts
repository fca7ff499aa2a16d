import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError } from '@rarefy/core';
import { parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memorySource } from '../../files/byte-source.js';
import { readEmbeddings, writeEmbeddings } from '../embedding-file.js';
import { openParquetEmbeddings } from './parquet-embeddings.js';
import { readRuns } from './runs.js';
import { readThrift } from './thrift.js';
import { unpackPage } from './unpack-page.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('another reader finds what we write, over several row groups', async () => {
  const [rows, cols] = [1100, 1000]; // over one block of 4 MiB
  const path = join(folder, 'x.parquet');
  const ids = Array.from({ length: rows }, (_, row) => `é ${row % 7} ${row}`);
  const data = Float32Array.from({ length: rows * cols }, (_, index) => Math.sin(index));
  await writeEmbeddings(path, { ids, embeddings: { data, rows, cols } });
  const { buffer } = new Uint8Array(await readFile(path));
  const found = (await parquetReadObjects({ file: buffer, rowStart: 1030, rowEnd: 1070 })) as {
    id: string;
    embedding: number[];
  }[];
  expect(found.map(({ id }) => id)).toEqual(ids.slice(1030, 1070));
  expect(Float32Array.from(found.flatMap(({ embedding }) => embedding))).toEqual(data.slice(1030 * cols, 1070 * cols));
  const read = (await readEmbeddings(path)).embeddings.data;
  expect(Buffer.compare(Buffer.from(read.buffer), Buffer.from(data.buffer))).toBe(0); // toEqual takes seconds
});

const number = { name: 'element', type: 'DOUBLE', repetition_type: 'OPTIONAL' } as const;
const list = [
  { name: 'embedding', num_children: 1, converted_type: 'LIST', repetition_type: 'OPTIONAL' },
  { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
  number,
] as const;

/** A file of the library's own making, where values may be missing. */
const lists = (embedding: unknown[], id: unknown[] = embedding.map((_, row) => `r${row}`)) => {
  const columns = Array.isArray(embedding[0]) ? list : [{ ...number, name: 'embedding' }];
  const file = parquetWriteBuffer({
    schema: [
      { name: 'root', num_children: 2 },
      { name: 'id', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ...columns,
    ],
    columnData: [
      { name: 'id', data: id },
      { name: 'embedding', data: embedding },
    ],
  });
  return openParquetEmbeddings(memorySource(new Uint8Array(file), 'x'));
};

test('columns that are no embeddings are told', async () => {
  expect(
    (
      await lists([
        [1.5, 2],
        [3, 4.5],
      ])
    ).values,
  ).toMatchObject({ rows: 2, cols: 2 });
  await expect(lists([[1.5, 2], [3]])).rejects.toThrow('Give every row as many numbers');
  await expect((await lists([[1.5, 2], [3.5, 4, 5], [6.5]])).values.read(0, 3)).rejects.toThrow('differ in length');
  await expect(
    (
      await lists([
        [1.5, null],
        [3, 4.5],
      ])
    ).values.read(0, 2),
  ).rejects.toThrow('has missing values');
  await expect(
    lists(
      [
        [1.5, 2],
        [3, 4.5],
      ],
      ['a', null],
    ),
  ).rejects.toThrow('has missing values');
  await expect(
    lists(
      [
        [1.5, 2],
        [3, 4.5],
      ],
      ['a', 'a'],
    ),
  ).rejects.toThrow('the id "a" twice, in rows 0 and 1');
  await expect(lists([1.5, 2])).rejects.toThrow('it has id (BYTE_ARRAY), embedding (DOUBLE)');
});

test('what makes other readers loop or allocate is refused at once', async () => {
  // A literal whose length, read as a signed number, is negative; a length that no bytes follow.
  expect(unpackPage(Uint8Array.of(10, 63 << 2, 0xfa, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0), 1, 10)).toBeUndefined();
  expect(unpackPage(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x04, 0), 1, 2 ** 30)).toBeUndefined();
  expect(readThrift(Uint8Array.of(0x29, 0xfc, 0x80, 0x80, 0x80, 0x08), 0)).toBeUndefined(); // a list of 2^24 structs
  expect(readThrift(new Uint8Array(100).fill(0x1c), 0)).toBeUndefined(); // structs in structs
  expect(readRuns(Uint8Array.of(0xfe, 0xff, 0xff, 0x7f, 1), 1, 8)).toBeUndefined(); // a run far beyond its page
  await expect(openParquetEmbeddings(memorySource(new Uint8Array(8)))).rejects.toThrow(CorruptFileError);
});

test('runs and bit-packed values, by the example of the format', () => {
  // https://parquet.apache.org/docs/file-format/data-pages/encodings/: 0 to 7 in three bits are 88 C6 FA.
  expect([...readRuns(Uint8Array.of(0x03, 0x88, 0xc6, 0xfa), 3, 8)!]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([...readRuns(Uint8Array.of(0x0a, 0x05, 0x03, 0x88, 0xc6, 0xfa), 3, 9)!]).toEqual([5, 5, 5, 5, 5, 0, 1, 2, 3]);
  expect([...readRuns(Uint8Array.of(0x04, 0x34, 0x12), 13, 2)!]).toEqual([0x1234, 0x1234]);
  expect([...readRuns(new Uint8Array(0), 0, 3)!]).toEqual([0, 0, 0]);
});
