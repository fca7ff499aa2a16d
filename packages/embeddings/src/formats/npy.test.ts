import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError } from '@rarefy/core';
import { memorySource } from '@rarefy/io';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEmbeddings, writeEmbeddings } from '../files/embedding-file.js';
import { openNpyEmbeddings, parseNpyHeader } from './npy.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file with this header text, padded as numpy does. */
function npy(header: string, data: ArrayBufferView | number, version = 1): Uint8Array {
  const start = version === 1 ? 10 : 12;
  const text = header.padEnd(Math.ceil((start + header.length + 1) / 64) * 64 - start - 1).concat('\n');
  const bytes =
    typeof data === 'number' ? Buffer.alloc(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, 0, 0, 0, 0]).subarray(0, start);
  if (version === 1) head.writeUInt16LE(text.length, 8);
  else head.writeUInt32LE(text.length, 8);
  return new Uint8Array(Buffer.concat([head, Buffer.from(text, 'latin1'), bytes]));
}

const header = (descr: string, order: string, shape: string) =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;

async function valuesOf(file: Uint8Array, count: number): Promise<number[][]> {
  const ids = Buffer.from(JSON.stringify(Array.from({ length: count }, (_, row) => `${row}`)));
  const { values } = await openNpyEmbeddings(memorySource(file), memorySource(ids));
  const rows = [];
  for (let row = 0; row < count; row++) rows.push([...(await values.read(row, row + 1)).data]);
  expect((await values.read(0, count)).data).toEqual(Float32Array.from(rows.flat()));
  return rows;
}

test.each([1, 2, 3])('version %i: C and Fortran order, every floating-point dtype', async (version) => {
  const rows = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const halves = Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600);
  const files: [string, ArrayBufferView, ArrayBufferView][] = [
    ['<f2', halves, Uint16Array.of(0x3c00, 0x4400, 0x4000, 0x4500, 0x4200, 0x4600)],
    ['<f4', Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 4, 2, 5, 3, 6)],
    ['<f8', Float64Array.of(1, 2, 3, 4, 5, 6), Float64Array.of(1, 4, 2, 5, 3, 6)],
  ];
  for (const [descr, byRows, byColumns] of files) {
    expect(await valuesOf(npy(header(descr, 'False', '(2, 3)'), byRows, version), 2)).toEqual(rows);
    expect(await valuesOf(npy(header(descr, 'True', '(2, 3)'), byColumns, version), 2)).toEqual(rows);
  }
});

test('headers in every spelling of Python', () => {
  const parse = (text: string, bytes = 24) => parseNpyHeader(npy(text, bytes), npy(text, bytes).length, 'x');
  const expected = { dtype: 'F32', shape: [2, 3], fortranOrder: false };
  expect(parse(header('<f4', 'False', '(2, 3)'))).toMatchObject(expected);
  expect(parse(`{"shape":(2L, 3L,),"fortran_order":False,"descr":"<f4"}`)).toMatchObject(expected);
  expect(parse(header('<i8', 'True', '(3,)'))).toEqual({ dtype: 'I64', shape: [3], fortranOrder: true, offset: 128 });
  expect(parse(header('<i4', 'False', '()'), 4)).toMatchObject({ dtype: 'I32', shape: [] });
});

const four = header('<f4', 'False', '(1, 1)');
test.each<[string, Uint8Array, string]>([
  ['nothing', new Uint8Array(0), 'does not begin with the magic bytes'],
  ['only the magic', npy(four, 4).subarray(0, 6), 'version 0.undefined'],
  ['version 9', npy(four, 4, 9), 'version 9.0'],
  ['an end in the header', npy(four, 4).subarray(0, 40), 'ends within its header'],
  ['a header of 4 GB', npy(four, 4, 2).map((byte, index) => (index >= 8 && index < 12 ? 255 : byte)), 'at most 10000'],
  ['another size', npy(header('<f4', 'False', '(1, 2)'), 4), '[1,2] of <f4 need 8 bytes, and 4 follow the header'],
  ['bytes after the end', npy(four, 5), 'need 4 bytes, and 5 follow'],
  ['an overflowing shape', npy(header('<f4', 'False', `(${'9999999999999999, '.repeat(30)})`), 4), 'need'],
  ['a product of zero', npy(header('<f4', 'False', '(9999999999999999, 0, 1)'), 4), 'need 0 bytes'],
  ['big endian', npy(header('>f4', 'False', '(1, 1)'), 4), 'has dtype >f4; supported are <f2, <f4, <f8, <i4, <i8'],
  ['objects', npy(header('|O', 'False', '(1, 1)'), 4), 'has dtype |O; supported are'],
  ['an inherited name', npy(header('toString', 'False', '(1, 1)'), 4), 'has dtype toString'],
  ['fields', npy(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}`, 4), 'not a dictionary'],
  ['a negative length', npy(header('<f4', 'False', '(-1, 1)'), 4), 'not a dictionary'],
  ['a number for a shape', npy(header('<f4', 'False', '(1)'), 4), 'not a dictionary'],
  ['a call', npy(header('<f4', 'exit()', '(1,)'), 4), 'not a dictionary'],
  [
    'a key twice',
    npy(`{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}`, 4),
    'not a dictionary',
  ],
  ['a key too many', npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}`, 4), 'not a dictionary'],
  ['a key too few', npy(`{'descr': '<f4', 'fortran_order': False}`, 4), 'not a dictionary'],
  ['text after it', npy(`${four} x`, 4), 'not a dictionary'],
  ['33 dimensions', npy(header('<f4', 'False', `(${'1, '.repeat(33)})`), 4), 'not a dictionary'],
])('refused: %s', (_, file, message) => {
  expect(() => parseNpyHeader(file, file.length, 'the file')).toThrow(message);
});

test('integers and vectors are not embeddings; the number of ids must match the rows', async () => {
  const ids = (json: string) => memorySource(Buffer.from(json), 'x.ids.json');
  const open = (file: Uint8Array, json: string) => openNpyEmbeddings(memorySource(file, 'x.npy'), ids(json));
  await expect(open(npy(header('<i4', 'False', '(1, 1)'), 4), '["a"]')).rejects.toThrow('expected floating-point');
  await expect(open(npy(header('<f4', 'False', '(1,)'), 4), '["a"]')).rejects.toThrow('got F32 [1]');
  await expect(open(npy(four, 4), '["a", "b"]')).rejects.toThrow('x.ids.json has 2 ids for 1 rows');
  for (const json of [
    '{"ids": 5}',
    '{"ids": ["a"], "more": 1}',
    '{"ids": ["a"], "metadata": {"a": 1}}',
    '{"ids": ["a"], "metadata": []}',
    '5',
    'null',
    '"a"',
    '[[["a"]]]',
    '['.repeat(1e6),
  ]) {
    await expect(open(npy(four, 4), json), json.slice(0, 50)).rejects.toThrow(CorruptFileError);
  }
});

test('the bytes are those of numpy 2.4, with the ids beside them', async () => {
  const path = join(folder, 'x.npy');
  const file = { ids: ['a', 'b'], embeddings: { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 2, cols: 3 } };
  await writeEmbeddings(path, { ...file, metadata: { z: '1', a: '"' } });
  const expected = npy(header('<f4', 'False', '(2, 3)'), file.embeddings.data);
  expect(new Uint8Array(await readFile(path))).toEqual(expected);
  expect(await readFile(join(folder, 'x.ids.json'), 'utf8')).toBe('{"ids":["a","b"],"metadata":{"a":"\\"","z":"1"}}\n');
  await writeFile(join(folder, 'x.ids.json'), '["c", 7]');
  expect(await readEmbeddings(path)).toEqual({ ...file, ids: ['c', '7'], metadata: {} });
});
