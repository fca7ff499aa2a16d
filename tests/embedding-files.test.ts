import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { openEmbeddings, readEmbeddings, type WritableDtype, writeEmbeddings } from '@rarefy/embeddings';
import { readSafetensors, toFloat32 } from '@rarefy/io';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runPython, withoutModules } from './support/python.js';

const goldenPath = (name: string) => fileURLToPath(new URL(`golden/${name}`, import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rarefy-embedding-files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const rowIds = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5'];
const values: number[][] = JSON.parse(readFileSync(goldenPath('pt/values.json'), 'utf8'));
/** Rounds to this many bits after the first, ties to even. All values are in the normal range of both formats. */
const rounded = (bits: number) => (value: number) => {
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - bits);
  const [below, above] = [Math.floor(value / step), Math.ceil(value / step)];
  const middle = value / step - below - 0.5;
  return (middle === 0 ? (below % 2 === 0 ? below : above) : middle < 0 ? below : above) * step;
};

test.each([
  ['float32', values, 'float32'],
  ['legacy', values, 'float32'],
  ['float16', values.map((row) => row.map(rounded(10))), 'float16'],
  ['bfloat16', values.map((row) => row.map(rounded(7))), 'bfloat16'],
  ['int_ids', values, 'float32'],
  ['strided', values, 'float32'],
])('pt/%s.pt has the values that torch saved, read as a whole and row by row', async (name, expected, dtype) => {
  await using reader = await openEmbeddings(goldenPath(`pt/${name}.pt`));
  const transposed =
    name === 'strided' ? Array.from({ length: 5 }, (_, row) => expected.map((line) => line[row]!)) : expected;
  const integerIds = name === 'int_ids';
  const ids = (integerIds ? ['0', '1', '2', '3', '4', '5'] : rowIds).slice(0, transposed.length);
  expect(reader).toMatchObject({
    ids,
    integerIds,
    dtype,
    metadata: {},
    rows: transposed.length,
    cols: transposed[0]!.length,
  });
  const all = await reader.read(0, reader.rows);
  expect([...all.data]).toEqual(transposed.flat());
  for (const [row, line] of transposed.entries()) expect([...(await reader.read(row, row + 1)).data]).toEqual(line);
});

test('embeddings.pt has the ids and rows of density.safetensors', async () => {
  const { ids, embeddings } = await readEmbeddings(goldenPath('embeddings.pt'));
  expect(ids).toEqual(Array.from({ length: 597 }, (_, row) => `row-${row}`));
  const { tensors } = await readSafetensors(goldenPath('density.safetensors'));
  const expected = tensors.get('x')!;
  expect([embeddings.rows, embeddings.cols]).toEqual(expected.shape);
  expect(embeddings.data).toEqual(toFloat32(expected));
});

const ids = ['a', 'é\n"', '行 3', '', 'e\u0301'];
const data = Float32Array.from({ length: 5 * 3 }, (_, index) => Math.sin(index + 1) * 4);
const metadata = { embedder: 'model@1', note: 'naïve "quotes"' };
type Loaded = { ids: string[]; kind: string; values: number[][]; dtype: string; metadata: Record<string, string> };

/** Reads files with Python, in one process, because importing torch takes seconds. */
const load = (paths: readonly string[]): Loaded[] =>
  runPython('embedding_files.py', 'load', ...paths)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Checks that Python reads what we write, with string and integer ids. */
async function checkPythonReads(extension: string, dtypes: readonly WritableDtype[]): Promise<void> {
  const files = dtypes.flatMap((dtype) => [false, true].map((integerIds) => ({ dtype, integerIds })));
  const pathOf = ({ dtype, integerIds }: (typeof files)[number]) => join(folder, `${dtype}-${integerIds}.${extension}`);
  const idsOf = (integerIds: boolean) => (integerIds ? ['0', '-1', '255', '70000', '-9007199254740991'] : ids);
  for (const file of files) {
    const { dtype, integerIds } = file;
    const embeddings = { data, rows: 5, cols: 3 };
    await writeEmbeddings(pathOf(file), { ids: idsOf(integerIds), integerIds, embeddings, metadata }, { dtype });
  }
  for (const [index, theirs] of load(files.map(pathOf)).entries()) {
    const { dtype, integerIds } = files[index]!;
    const values = { float32: data, float16: Array.from(data, rounded(10)), bfloat16: Array.from(data, rounded(7)) }[
      dtype
    ];
    expect(theirs.values.flat()).toEqual([...values]);
    expect(theirs.ids).toEqual(idsOf(integerIds));
    expect(theirs.dtype).toContain(dtype);
    expect(theirs.metadata).toMatchObject(metadata);
    expect(theirs.kind).toBe(integerIds ? 'int' : 'str');
    const ours = await readEmbeddings(pathOf(files[index]!));
    expect([...ours.embeddings.data]).toEqual([...values]);
    expect({ ...ours, integerIds: ours.integerIds ?? false }).toMatchObject({
      ids: idsOf(integerIds),
      integerIds,
      metadata,
    });
  }
}

/** Checks that we read what Python writes: values are row * 10 + column, ids r0, r1, … unless the name says otherwise. */
async function checkWeRead(names: readonly string[]): Promise<void> {
  const made = join(folder, 'made');
  for (const name of names) {
    await using reader = await openEmbeddings(join(made, name));
    const { rows, cols } = reader;
    const expected = Array.from({ length: rows * cols }, (_, at) => Math.floor(at / cols) * 10 + (at % cols));
    expect([...(await reader.read(0, rows)).data], name).toEqual(expected);
    for (let row = 0; row < rows; row++) {
      expect([...(await reader.read(row, row + 1)).data], name).toEqual(expected.slice(row * cols, (row + 1) * cols));
    }
    const integers = /ints/.test(name);
    expect(reader.ids, name).toEqual(
      Array.from({ length: rows }, (_, row) => (integers ? `${row * 1000 - 1}` : `r${row}`)),
    );
    expect(reader.integerIds, name).toBe(integers);
    expect([rows, cols], name).toEqual([4, 3]);
  }
}

/** Comparisons only: Rarefy does not need these Python modules. */
const withPython = (title: string, modules: readonly string[], cases: () => void) => {
  const reason = withoutModules(...modules);
  describe.skipIf(reason !== '')(`${title}${reason}`, cases);
};

withPython('PyTorch', ['torch', 'numpy'], () => {
  test('loads our files with weights_only=True, also memory-mapped', async () => {
    await checkPythonReads('pt', ['float32', 'float16', 'bfloat16']);
  });

  test('reads files with more ids than one batch of the pickle, and with none', async () => {
    const many = Array.from({ length: 2501 }, (_, row) => `id ${row}`);
    const paths = [join(folder, 'many.pt'), join(folder, 'none.pt')] as const;
    await writeEmbeddings(paths[0], {
      ids: many,
      embeddings: { data: new Float32Array(2501), rows: 2501, cols: 1 },
      metadata,
    });
    await writeEmbeddings(paths[1], { ids: [], embeddings: { data: new Float32Array(0), rows: 0, cols: 2 }, metadata });
    expect(load(paths).map(({ ids }) => ids)).toEqual([many, []]);
    expect((await readEmbeddings(paths[0])).ids).toEqual(many);
    expect((await readEmbeddings(paths[1])).embeddings).toMatchObject({ rows: 0, cols: 2 });
  });

  test('we read what it saves: both formats, every dtype, any strides, ids as lists, tuples and tensors', async () => {
    const names: string[] = JSON.parse(runPython('embedding_files.py', 'make', 'torch', join(folder, 'made')));
    expect(names).toHaveLength(21);
    await checkWeRead(names);
  });
});

withPython('safetensors', ['torch', 'safetensors'], () => {
  test('reads our files', async () => {
    await checkPythonReads('safetensors', ['float32', 'float16', 'bfloat16']);
  });
});

withPython('numpy', ['numpy'], () => {
  test('reads our files', async () => {
    await checkPythonReads('npy', ['float32', 'float16']);
  });

  test('we read what it saves: every version, both orders', async () => {
    const made = join(folder, 'made-numpy');
    const names: string[] = JSON.parse(runPython('embedding_files.py', 'make', 'numpy', made));
    await checkWeRead(names.filter((name) => name.endsWith('.npy')).map((name) => join('../made-numpy', name)));
  });
});

withPython('pyarrow', ['pyarrow'], () => {
  test('reads our files', async () => {
    await checkPythonReads('parquet', ['float32']);
    await checkPythonReads('arrow', ['float32', 'float16']);
  });

  test('we read what it writes: lists of fixed and any size, every float, ids of text and integers, row groups and batches', async () => {
    const made = join(folder, 'made-arrow');
    const names: string[] = JSON.parse(runPython('embedding_files.py', 'make', 'arrow', made));
    const readable = names.filter((name) => name !== 'zstd.parquet');
    expect(readable).toHaveLength(19);
    await checkWeRead(readable.map((name) => join('../made-arrow', name)));
    if ('zstdDecompressSync' in zlib) await checkWeRead(['../made-arrow/zstd.parquet']);
    else
      await expect(readEmbeddings(join(made, 'zstd.parquet'))).rejects.toThrow(
        'is compressed with ZSTD, which is not supported here',
      );
  });
});
