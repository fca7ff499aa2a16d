import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CorruptFileError } from '@rarefy/core';
import { memorySource, readThrift, type ThriftStruct, type ThriftValue } from '@rarefy/io';
import { parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEmbeddings, writeEmbeddings } from '../../files/embedding-file.js';
import { readColumnChunk } from './column-chunk.js';
import { readRuns, unpackPage } from './page-data.js';
import { openParquetEmbeddings } from './parquet-embeddings.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('hyparquet reads what we write, over several row groups', async () => {
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

test('other columns are named in the error', async () => {
  expect(
    (
      await lists([
        [1.5, 2],
        [3, 4.5],
      ])
    ).values,
  ).toMatchObject({ rows: 2, cols: 2 });
  await expect(lists([[1.5, 2], [3]])).rejects.toThrow('Give every row the same number of values');
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

test('input that makes other readers loop or allocate is rejected at once', async () => {
  // A literal whose length, read as a signed number, is negative; a length that no bytes follow.
  expect(unpackPage(Uint8Array.of(10, 63 << 2, 0xfa, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0), 1, 10)).toBeUndefined();
  expect(unpackPage(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x04, 0), 1, 2 ** 30)).toBeUndefined();
  expect(readThrift(Uint8Array.of(0x29, 0xfc, 0x80, 0x80, 0x80, 0x08), 0)).toBeUndefined(); // a list of 2^24 structs
  expect(readThrift(new Uint8Array(100).fill(0x1c), 0)).toBeUndefined(); // structs in structs
  expect(readRuns(Uint8Array.of(0xfe, 0xff, 0xff, 0x7f, 1), 1, 8)).toBeUndefined(); // a run far beyond its page
  await expect(openParquetEmbeddings(memorySource(new Uint8Array(8)))).rejects.toThrow(CorruptFileError);
});

/** A struct of thrift's compact protocol, its fields in order; integers as i64. */
function thrift(struct: ThriftStruct): Buffer {
  const varint = (value: number): Buffer =>
    value < 128 ? Buffer.of(value) : Buffer.concat([Buffer.of((value % 128) | 128), varint(Math.floor(value / 128))]);
  const zigzag = (value: number) => varint(value < 0 ? -2 * value - 1 : 2 * value);
  const typeOf = (value: ThriftValue) =>
    typeof value === 'number' ? 6 : value instanceof Uint8Array ? 8 : Array.isArray(value) ? 9 : 12;
  const encode = (value: ThriftValue): Buffer => {
    if (typeof value === 'number') return zigzag(value);
    if (value instanceof Uint8Array) return Buffer.concat([varint(value.length), value]);
    if (!Array.isArray(value)) return thrift(value as ThriftStruct);
    const type = value.length > 0 ? typeOf(value[0]) : 12;
    return Buffer.concat([Buffer.of(0xf0 | type), varint(value.length), ...value.map(encode)]);
  };
  const fields = [...struct].map(([field, value]) => {
    if (typeof value === 'boolean') return Buffer.concat([Buffer.of(value ? 1 : 2), zigzag(field)]);
    return Buffer.concat([Buffer.of(typeOf(value)), zigzag(field), encode(value)]);
  });
  return Buffer.concat([...fields, Buffer.of(0)]);
}

test('row groups that share their bytes are rejected', async () => {
  const path = join(folder, 'shared.parquet');
  await writeEmbeddings(path, { ids: ['a'], embeddings: { data: Float32Array.of(1, 2), rows: 1, cols: 2 } });
  const bytes = await readFile(path);
  const start = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  const footer = new Map(readThrift(bytes, start)!.value);
  const written = (groups: number) => {
    const [group] = footer.get(4) as ThriftStruct[];
    const own = thrift(new Map([...footer, [3, groups], [4, Array(groups).fill(group)]]));
    const end = Buffer.alloc(8, 'PAR1', 'latin1');
    end.writeUInt32LE(own.length);
    end.write('PAR1', 4, 'latin1');
    return memorySource(new Uint8Array(Buffer.concat([bytes.subarray(0, start), own, end])), 'x');
  };
  expect((await openParquetEmbeddings(written(1))).ids).toEqual(['a']);
  await expect(openParquetEmbeddings(written(1000))).rejects.toThrow(CorruptFileError);
  await expect(openParquetEmbeddings(written(1000))).rejects.toThrow('column id claims');
});

test('very many pages that decompress to far more than their values are rejected after a few', () => {
  const column = { path: ['id'], type: 'INT64', isFloat16: false, maxDefinition: 0, maxRepetition: 0 } as const;
  const page = (type: number, size: number, about: [number, ThriftStruct]) => {
    const packed = gzipSync(Buffer.alloc(size));
    return [thrift(new Map<number, ThriftValue>([[1, type], [2, size], [3, packed.length], about])), packed];
  };
  const dictionary = page(2, 8, [
    7,
    new Map([
      [1, 1],
      [2, 0],
    ]),
  ]);
  const data = page(0, 2 ** 20, [
    5,
    new Map([
      [1, 1],
      [2, 8],
      [3, 3],
      [4, 3],
    ]),
  ]);
  const chunkOf = (pages: number) => Buffer.concat([...dictionary, ...Array(pages).fill(data).flat()]);
  const read = (pages: number) => {
    const bytes = chunkOf(pages);
    const chunk = { codec: 2, values: pages, offset: 0, bytes: bytes.length };
    return readColumnChunk(bytes, column, chunk, { width: 1, limit: 2 ** 24, budget: { left: 2 ** 24 }, name: 'x' });
  };
  expect(read(10).flatMap((values) => [...values])).toEqual(Array(10).fill(0n));
  expect(() => read(1000)).toThrow('column id has pages that decompress to far more than its values need');
});

test('runs and bit-packed values, as in the example of the specification', () => {
  // https://parquet.apache.org/docs/file-format/data-pages/encodings/: 0 to 7 in three bits are 88 C6 FA.
  expect([...readRuns(Uint8Array.of(0x03, 0x88, 0xc6, 0xfa), 3, 8)!]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([...readRuns(Uint8Array.of(0x0a, 0x05, 0x03, 0x88, 0xc6, 0xfa), 3, 9)!]).toEqual([5, 5, 5, 5, 5, 0, 1, 2, 3]);
  expect([...readRuns(Uint8Array.of(0x04, 0x34, 0x12), 13, 2)!]).toEqual([0x1234, 0x1234]);
  expect([...readRuns(new Uint8Array(0), 0, 3)!]).toEqual([0, 0, 0]);
});
