import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CorruptFileError, ShapeError } from '@rarefy/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  encodeSafetensors,
  parseSafetensors,
  readSafetensors,
  type WritableTensor,
  writeSafetensors,
} from './safetensors.js';
import { type StoredTensor, toFloat32, toFloat64, toInt32 } from './stored-tensor.js';

const golden = (name: string) => fileURLToPath(new URL(`../../../../tests/golden/${name}`, import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of this header and as many zero bytes. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + json.length + dataBytes);
  bytes.writeBigUInt64LE(BigInt(json.length));
  bytes.set(json, 8);
  return bytes;
}

const tensor = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

test('files of the reference writer: names, shapes and values', async () => {
  const { tensors, metadata } = await readSafetensors(golden('density.safetensors'));
  expect(metadata).toEqual({});
  expect([...tensors].map(([name, { dtype, shape }]) => [name, dtype, ...shape])).toEqual([
    ['inverse_similarity_weights', 'F64', 597],
    ['mean_ip_similarity_k20', 'F64', 597],
    ['mean_knn_distance_k10', 'F64', 597],
    ['viz_density_k10', 'F64', 597],
    ['x', 'F32', 597, 24],
  ]);
  // weights ~ 1 / (1e-3 + max(0, similarity)), summing to 1: a law between two of its tensors
  const similarity = toFloat64(tensors.get('mean_ip_similarity_k20')!);
  const weights = toFloat64(tensors.get('inverse_similarity_weights')!);
  const expected = similarity.map((value) => 1 / (1e-3 + Math.max(0, value)));
  const total = expected.reduce((sum, value) => sum + value, 0);
  weights.forEach((weight, row) => {
    expect((weight * total) / expected[row]!).toBeCloseTo(1, 9);
  });

  const { tensors: minilm } = await readSafetensors(golden('minilm.safetensors'));
  const embeddings = minilm.get('embeddings')!;
  expect(embeddings).toMatchObject({ dtype: 'F32', shape: [26, 384] });
  const data = toFloat32(embeddings);
  for (let row = 0; row < 26; row++) {
    const norm = Math.hypot(...data.subarray(row * 384, (row + 1) * 384));
    expect(norm).toBeCloseTo(1, 5); // sentence-transformers normalizes the rows of this model
  }
});

test('parsing the bytes and reading the file agree', async () => {
  const path = golden('density.safetensors');
  expect(parseSafetensors(new Uint8Array(await readFile(path)))).toEqual(await readSafetensors(path));
});

test('every dtype is read by its definition', () => {
  const stored = (dtype: StoredTensor['dtype'], bytes: ArrayBufferView): StoredTensor => {
    const shifted = new Uint8Array(bytes.byteLength + 1); // never aligned
    shifted.set(new Uint8Array(bytes.buffer), 1);
    return { dtype, shape: [bytes.byteLength], bytes: shifted.subarray(1) };
  };
  expect([...toFloat32(stored('F32', Float32Array.of(1.5, -0)))]).toEqual([1.5, -0]);
  expect([...toFloat32(stored('F64', Float64Array.of(0.1)))]).toEqual([Math.fround(0.1)]);
  expect([...toFloat64(stored('F64', Float64Array.of(0.1)))]).toEqual([0.1]);
  expect([...toFloat32(stored('F16', Uint16Array.of(0x3c00)))]).toEqual([1]);
  expect([...toFloat64(stored('BF16', Uint16Array.of(0x3f80)))]).toEqual([1]);
  expect([...toInt32(stored('I64', BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n)))]).toEqual([
    -(2 ** 31),
    2 ** 31 - 1,
  ]);
  expect([...toInt32(stored('I32', Int32Array.of(-5)))]).toEqual([-5]);
  expect([...toInt32(stored('I16', Int16Array.of(-5)))]).toEqual([-5]);
  expect([...toInt32(stored('I8', Int8Array.of(-5)))]).toEqual([-5]);
  expect([...toInt32(stored('U8', Uint8Array.of(251)))]).toEqual([251]);
  expect([...toInt32(stored('BOOL', Uint8Array.of(0, 1, 2)))]).toEqual([0, 1, 1]);
  expect(() => toInt32(stored('I64', BigInt64Array.of(0n, 2n ** 31n)))).toThrow(
    'element 1 of an I64 tensor is 2147483648',
  );
  expect(() => toInt32(stored('F32', Float32Array.of(1)))).toThrow(ShapeError);
  expect(() => toFloat32(stored('I8', Int8Array.of(1)))).toThrow('read it with toInt32()');
});

test('any tensors survive a round trip; equal content gives equal bytes', () => {
  const shape = fc.array(fc.nat(3), { maxLength: 3 });
  const size = (lengths: readonly number[]) => lengths.reduce((product, length) => product * length, 1);
  const data = shape.chain((shape) => {
    const exactly = { minLength: size(shape), maxLength: size(shape) };
    return fc.oneof(
      fc.float64Array({ ...exactly, noNaN: true }).map((data): WritableTensor => ({ dtype: 'F64', shape, data })),
      fc.float32Array({ ...exactly, noNaN: true }).map((data): WritableTensor => ({ dtype: 'F32', shape, data })),
      fc.bigInt64Array(exactly).map((data): WritableTensor => ({ dtype: 'I64', shape, data })),
      fc.int32Array(exactly).map((data): WritableTensor => ({ dtype: 'I32', shape, data })),
      fc.uint8Array(exactly).map((data): WritableTensor => ({ dtype: 'U8', shape, data })),
    );
  });
  const name = fc.oneof(
    fc.constantFrom('__proto__', 'constructor', '0', '', 'é\u0000"\\'),
    fc.string({ unit: 'binary' }),
  );
  const entries = fc.uniqueArray(fc.tuple(name, data), { selector: ([name]) => name, maxLength: 5 });
  const metadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true });
  fc.assert(
    fc.property(entries, metadata, (entries, metadata) => {
      const bytes = encodeSafetensors(Object.fromEntries(entries), metadata);
      const read = parseSafetensors(bytes);
      expect(read.metadata).toEqual(metadata);
      expect(read.tensors.size).toBe(entries.length);
      for (const [name, { dtype, shape, data }] of entries) {
        const found = read.tensors.get(name)!;
        expect(found).toMatchObject({ dtype, shape });
        expect(Buffer.from(found.bytes)).toEqual(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
      }
      expect(encodeSafetensors(Object.fromEntries(entries.reverse()), metadata)).toEqual(bytes);
    }),
    { seed: 4, numRuns: 200 },
  );
});

test('writing gives the bytes of the reference writer (safetensors 0.8.0); F16 is rounded, views are written as views', async () => {
  const path = join(folder, 'written.safetensors');
  await writeSafetensors(
    path,
    {
      a: { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
      half: { dtype: 'F16', shape: [2], data: Float32Array.of(1, 65519) },
      i: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-1n, 5n) },
      x: { dtype: 'F32', shape: [1, 2], data: Float32Array.of(9, 1, 2, 9).subarray(1, 3) },
    },
    { note: 'n' },
  );
  const header =
    '{"__metadata__":{"note":"n"},"i":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},' +
    '"x":{"dtype":"F32","shape":[1,2],"data_offsets":[16,24]},"half":{"dtype":"F16","shape":[2],"data_offsets":[24,28]},' +
    '"a":{"dtype":"U8","shape":[3],"data_offsets":[28,31]}}    ';
  const data = 'ffffffffffffffff05000000000000000000803f00000040003cff7b010203';
  expect((await readFile(path)).toString('hex')).toBe(`0001000000000000${Buffer.from(header).toString('hex')}${data}`);
});

test('writing rejects shapes, data and dtypes that do not match', () => {
  const x = Float32Array.of(1, 2);
  expect(() => encodeSafetensors({ x: { dtype: 'F32', shape: [3], data: x } })).toThrow('shape [3] and 2 values');
  expect(() => encodeSafetensors({ x: { dtype: 'F32', shape: [-1, -2], data: x } })).toThrow(ShapeError);
  expect(() => encodeSafetensors({ x: { dtype: 'F64', shape: [2], data: x as never } })).toThrow(
    'must be a Float64Array',
  );
  expect(() => encodeSafetensors({ x: { dtype: 'BF16' as never, shape: [2], data: x } })).toThrow('has dtype BF16');
  expect(() => encodeSafetensors({ __metadata__: { dtype: 'F32', shape: [2], data: x } })).toThrow(
    'named __metadata__',
  );
});

const four = tensor('F32', [1], 0, 4);
const broken: [string, Uint8Array, string][] = [
  ['nothing', new Uint8Array(0), 'it has 0 bytes'],
  ['seven bytes', new Uint8Array(7), 'it has 7 bytes'],
  ['a header over 100 MB', Buffer.from('01e1f50500000000', 'hex'), 'its header claims 100000001 bytes'],
  ['a header of 2^64 - 1 bytes', Buffer.from('ffffffffffffffff', 'hex'), 'at most 100 MB'],
  ['a header past the end', fileOf({ a: four }, 4).subarray(0, 20), 'it is truncated: its header claims'],
  ['no header', fileOf('', 0), 'does not begin with {'],
  ['a header that is an array', fileOf('[]', 0), 'does not begin with {'],
  ['a header after a space', fileOf(' {}', 0), 'does not begin with {'],
  ['a header that is no JSON', fileOf('{"a":', 0), 'is not valid JSON in UTF-8'],
  ['an endless name', fileOf('{"a', 0), 'is not valid JSON in UTF-8'],
  ['a header with text after it', fileOf('{} x', 0), 'is not valid JSON in UTF-8'],
  [
    'a header that is no UTF-8',
    fileOf('{"é":1}', 0).map((byte) => (byte === 0xc3 ? 0xff : byte)),
    'not valid JSON in UTF-8',
  ],
  ['a deep header', fileOf(`{"a":${'['.repeat(1e6)}`, 0), 'is nested deeper than a header can be'],
  [
    'the same name twice',
    fileOf(`{"a":${JSON.stringify(four)},"\\u0061" :${JSON.stringify(four)}}`, 4),
    'has the key "a" twice',
  ],
  [
    'a field twice',
    fileOf('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
    'has the key "shape" twice',
  ],
  ['metadata that is no map', fileOf({ __metadata__: ['a'] }, 0), 'its metadata is not an object of strings'],
  ['metadata with a number', fileOf({ __metadata__: { a: 1 } }, 0), 'its metadata is not an object of strings'],
  ['a tensor that is a number', fileOf({ a: 4 }, 4), 'tensor "a" has no description'],
  ['an unknown dtype', fileOf({ a: tensor('F8_E4M3', [4], 0, 4) }, 4), 'has dtype "F8_E4M3", and only F64, F32'],
  ['an inherited dtype', fileOf({ a: tensor('toString', [4], 0, 4) }, 4), 'has dtype "toString"'],
  ['a negative length', fileOf({ a: tensor('F32', [-1], 0, 4) }, 4), 'has no shape of non-negative integers'],
  ['a fraction of a length', fileOf({ a: tensor('F32', [0.5, 2], 0, 4) }, 4), 'has no shape of non-negative integers'],
  [
    'an overflowing shape',
    fileOf({ a: tensor('F32', [2 ** 32, 2 ** 32, 2 ** 32], 0, 4) }, 4),
    'has the impossible shape',
  ],
  ['negative offsets', fileOf({ a: tensor('F32', [1], -4, 0) }, 4), 'has no pair of offsets'],
  ['one offset', fileOf({ a: { dtype: 'F32', shape: [1], data_offsets: [4] } }, 4), 'has no pair of offsets'],
  ['offsets the wrong way round', fileOf({ a: tensor('F32', [0], 4, 0) }, 4), 'its offsets span -4'],
  ['another size than the shape', fileOf({ a: tensor('F32', [2], 0, 4) }, 4), 'needs 8 bytes, and its offsets span 4'],
  [
    'data that is truncated',
    fileOf({ a: tensor('F32', [2], 0, 8) }, 4),
    'its tensors need 8 bytes, and 4 follow the header',
  ],
  ['bytes that belong to no tensor', fileOf({ a: four }, 5), 'its tensors end at byte 4 of 5'],
  [
    'a gap',
    fileOf({ a: four, b: tensor('F32', [1], 8, 12) }, 12),
    'tensor "b" begins at byte 8, and the one before ends at 4',
  ],
  ['an overlap', fileOf({ a: four, b: tensor('F32', [1], 2, 6) }, 6), 'tensor "b" begins at byte 2'],
  ['the same bytes for two tensors', fileOf({ a: four, b: four }, 4), 'tensor "b" begins at byte 0'],
];

test.each(broken)('refused: %s', async (_, bytes, message) => {
  expect(() => parseSafetensors(bytes, 'the file')).toThrow(message);
  const path = join(folder, 'broken.safetensors');
  await writeFile(path, bytes);
  const reading = readSafetensors(path);
  await expect(reading).rejects.toThrow(CorruptFileError);
  await expect(reading).rejects.toThrow(`${path} is not a valid safetensors file: `);
  await expect(reading).rejects.toThrow(message);
});

test('empty tensors and a file without tensors are valid', () => {
  expect(parseSafetensors(fileOf('{}', 0)).tensors.size).toBe(0);
  const { tensors } = parseSafetensors(
    fileOf({ a: four, none: tensor('I64', [0, 2 ** 40], 4, 4), scalar: tensor('U8', [], 4, 5) }, 5),
  );
  expect([...tensors].map(([name, { bytes }]) => [name, bytes.length])).toEqual([
    ['a', 4],
    ['none', 0],
    ['scalar', 1],
  ]);
});

test('any flipped byte of the header gives the same sizes or a CorruptFileError', () => {
  const file = encodeSafetensors(
    {
      weight: { dtype: 'F32', shape: [3, 2], data: new Float32Array(6) },
      ids: { dtype: 'U8', shape: [5], data: new Uint8Array(5) },
    },
    { made: 'by a test' },
  );
  const length = 8 + Number(Buffer.from(file).readBigUInt64LE());
  const sizes = (bytes: Uint8Array) => [...parseSafetensors(bytes).tensors.values()].map(({ bytes }) => bytes.length);
  let refused = 0;
  for (let position = 0; position < length; position++) {
    for (let flip = 1; flip < 256; flip++) {
      const damaged = Uint8Array.from(file);
      damaged[position]! ^= flip;
      let seen: number[] | undefined;
      try {
        seen = sizes(damaged);
      } catch (error) {
        if (!CorruptFileError.isInstance(error)) throw error;
        refused++;
      }
      if (seen && seen.join() !== '24,5') expect.fail(`byte ${position} ^ ${flip} gave ${seen}`);
    }
  }
  expect(refused).toBeGreaterThan(length * 100); // only names, metadata and blanks may change unseen
});

test('a truncated file and an unreadable path are rejected; an abort rejects with its reason', async () => {
  const file = encodeSafetensors({ a: { dtype: 'F32', shape: [4], data: new Float32Array(4) } });
  for (let length = 0; length < file.length; length++) {
    expect(() => parseSafetensors(file.subarray(0, length))).toThrow(CorruptFileError);
  }
  await expect(readSafetensors(join(folder, 'absent'))).rejects.toThrow('it does not exist. Check the path.');
  await expect(readSafetensors(folder)).rejects.toThrow('it is a folder. Give the path of a file.');
  const reason = new Error('enough');
  const options = { signal: AbortSignal.abort(reason) };
  await expect(readSafetensors(golden('minilm.safetensors'), options)).rejects.toBe(reason);
});
