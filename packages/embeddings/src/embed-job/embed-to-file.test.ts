import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFileError, InputError, InvalidArgumentError, StateMismatchError, type WorkEvent } from '@rarefy/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestEmbedder, digestRow } from '../../../../tests/support/digest-embedder.js';
import { memoryFileSystem } from '../../../../tests/support/memory-file-system.js';
import { readEmbeddings } from '../files/embedding-file.js';
import { type EmbedToFileOptions, embedToFile } from './embed-to-file.js';
import { encodeManifest, manifestPath, readEmbeddingManifest, verifyEmbeddings } from './manifest.js';

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rarefy-embed-'));
  out = join(folder, 'e.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true }));

const rowsOf = (texts: readonly string[]) => texts.map((item, row) => ({ id: `row-${row}`, item }));
const numbered = (count: number) => rowsOf(Array.from({ length: count }, (_, row) => `text ${row}`));
const embed = (
  rows: ReturnType<typeof rowsOf>,
  options: Partial<EmbedToFileOptions> = {},
  embedder = digestEmbedder(),
) => embedToFile(embedder, rows, { out, shardRows: 8, ...options });

describe('rows', () => {
  test('any texts: one row per id, in order; equal texts are embedded once; no other file stays', async () => {
    const texts = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', 'b', '\ud800', '\udfff')), {
      minLength: 1,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 1, max: 9 }), async (items, shardRows) => {
        const embedder = digestEmbedder();
        const fileSystem = memoryFileSystem();
        const path = '/data/x.npy';
        await embedToFile(embedder, rowsOf(items), { out: path, shardRows, batchSize: 3, fileSystem });
        expect(embedder.items()).toBe(new Set(items).size);
        expect(Math.max(...embedder.batches.map(({ length }) => length))).toBeLessThanOrEqual(3);
        const files = fileSystem.files();
        expect([...files.keys()].sort()).toEqual(['/data/x.ids.json', path, `${path}.manifest.json`]);
        const { length } = files.get(path)!;
        const stored = Uint8Array.from(files.get(path)!.subarray(length - 4 * 5 * items.length));
        expect([...new Float32Array(stored.buffer)]).toEqual(items.flatMap((text) => [...digestRow(text)]));
        const { ids } = JSON.parse(Buffer.from(files.get('/data/x.ids.json')!).toString());
        expect(ids).toEqual(items.map((_, row) => `row-${row}`));
      }),
      { seed: 6, numRuns: 60 },
    );
  });

  test.each(['float32', 'float16', 'bfloat16'] as const)('%s, in a file that readEmbeddings reads', async (dtype) => {
    const { manifest } = await embed(numbered(21), { dtype, model: { name: 'm' }, data: { path: 'd.jsonl' } });
    const { ids, embeddings, metadata } = await readEmbeddings(out);
    expect(ids).toEqual(numbered(21).map(({ id }) => id));
    expect([...embeddings.data]).toEqual(numbered(21).flatMap(({ item }) => [...digestRow(item)])); // 8 bits fit each dtype
    expect(metadata).toEqual({ embedder: 'digest' });
    expect(manifest).toMatchObject({ rows: 21, dimensions: 5, dtype, embedder: 'digest', model: { name: 'm' } });
    expect(manifest.data).toMatchObject({ rows: 21, path: 'd.jsonl', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(manifest.counts).toEqual({ distinct: 21, truncated: 0, failed: 0 });
    expect(await verifyEmbeddings(out)).toEqual(manifest);
    expect(readdirSync(folder).sort()).toEqual(['e.safetensors', 'e.safetensors.manifest.json']);
  });

  test('batches have texts of similar length, longest first, within the limits of size and tokens', async () => {
    const lengths = [3, 90, 5, 80, 4, 7, 85, 6];
    const rows = rowsOf(lengths.map((length) => 'x'.repeat(length)));
    const bySize = digestEmbedder();
    await embed(rows, { batchSize: 3 }, bySize);
    expect(bySize.batches.map((batch) => batch.map(({ length }) => length))).toEqual([
      [90, 85, 80],
      [7, 6, 5],
      [4, 3],
    ]);
    const byTokens = digestEmbedder();
    const countTokens = (items: readonly string[]) => items.map(({ length }) => length);
    await embed(rows, { resume: false, batchSize: 4, batchTokens: 100, countTokens }, byTokens);
    const sizes = byTokens.batches.map((batch) => batch.map(({ length }) => length));
    expect(sizes).toEqual([[90], [85], [80], [7, 6, 5, 4], [3]]);
  });

  test('batches run concurrently as the embedder allows, with the same rows', async () => {
    let running = 0;
    let most = 0;
    const slow = digestEmbedder({
      maxConcurrency: 3,
      async onBatch() {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
      },
    });
    await embed(numbered(40), { shardRows: 20 }, slow);
    const bytes = readFileSync(out);
    await embed(numbered(40), { shardRows: 20, resume: false });
    expect(most).toBe(3);
    expect(readFileSync(out).equals(bytes)).toBe(true);
  });

  test('truncated texts are counted, also repeated ones', async () => {
    const base = digestEmbedder();
    const cutting = {
      ...base,
      embedBatch: async (items: readonly string[]) => ({
        ...(await base.embedBatch(items)),
        truncated: Uint32Array.from(items.flatMap((text, row) => (text.length > 6 ? [row] : []))),
      }),
    };
    const texts = [...numbered(12).map(({ item }) => item), 'text 10', 'text 11', 'text 10', 'x'];
    const { manifest } = await embedToFile(cutting, rowsOf(texts), { out, shardRows: 12 });
    expect(manifest.counts).toEqual({ distinct: 13, truncated: 5, failed: 0 });
  });
});

describe('rows that fail', () => {
  const failing = (isBad: (text: string) => boolean) =>
    digestEmbedder({
      onBatch(items) {
        const bad = items.find(isBad);
        if (bad !== undefined) throw new Error(`no row for ${bad}`);
      },
    });

  test('are isolated and reported with their ids; no file is written unless they may be skipped', async () => {
    const bad = ['text 3', 'text 20'];
    const rows = rowsOf([...numbered(30).map(({ item }) => item), 'text 3']);
    const events: WorkEvent[] = [];
    const run = (options: Partial<EmbedToFileOptions>) =>
      embed(
        rows,
        { onEvent: (event) => events.push(event), ...options },
        failing((text) => bad.includes(text)),
      );
    await expect(run({})).rejects.toThrow(
      '3 of 31 rows cannot be embedded: "row-3" (no row for text 3), "row-20" (no row for text 20), "row-30" (no row for text 3); run again',
    );
    const warnings = events.filter((event) => event.type === 'work-warning');
    expect(warnings.map(({ code, message }) => [code, /"row-\d+"/.exec(message)![0]])).toEqual([
      ['row-failed', '"row-3"'],
      ['row-failed', '"row-20"'],
      ['row-failed', '"row-30"'],
    ]);
    expect(readdirSync(folder)).toEqual(['e.safetensors.parts']);

    const { manifest, computed } = await run({ skipFailed: true });
    expect(computed).toBe(0);
    expect(manifest).toMatchObject({ rows: 28, counts: { distinct: 30, truncated: 0, failed: 3 } });
    expect(manifest.failed.map(({ id }) => id)).toEqual(['row-3', 'row-20', 'row-30']);
    const { ids, embeddings } = await readEmbeddings(out);
    expect(ids).toEqual(rows.map(({ id }) => id).filter((id) => !['row-3', 'row-20', 'row-30'].includes(id)));
    expect([...embeddings.data.subarray(-5)]).toEqual([...digestRow('text 29')]);
  });

  test('are retried by the next run, whose file equals that of a run without failures', async () => {
    await expect(
      embed(
        numbered(30),
        {},
        failing((text) => text === 'text 9'),
      ),
    ).rejects.toThrow('1 of 30 rows');
    const again = digestEmbedder();
    expect(await embed(numbered(30), {}, again)).toMatchObject({ resumed: 22, computed: 8 });
    const bytes = readFileSync(out);
    await embed(numbered(30), { resume: false });
    expect(readFileSync(out).equals(bytes)).toBe(true);
  });

  test('once only are not noticed', async () => {
    let calls = 0;
    const once = digestEmbedder({
      onBatch() {
        if (++calls % 3 === 1) throw new Error('busy');
      },
    });
    const { manifest } = await embed(numbered(30), {}, once);
    expect(manifest.counts.failed).toBe(0);
  });

  test('end the job with the embedder’s error after ten in a row', async () => {
    let alone = 0;
    const broken = digestEmbedder({
      onBatch(items) {
        if (items.length === 1) alone++;
        throw new TypeError('the model is gone');
      },
    });
    await expect(embed(numbered(500), { shardRows: 100 }, broken)).rejects.toThrow(TypeError);
    expect(alone).toBe(30);
    expect(readdirSync(folder)).toEqual([]);
    await expect(embed(numbered(3), { skipFailed: true }, broken)).rejects.toThrow('3 of 3 rows cannot be embedded');
  });

  test('a NaN of the embedder fails only its row', async () => {
    const base = digestEmbedder();
    const broken = {
      ...base,
      async embedBatch(items: readonly string[]) {
        const result = await base.embedBatch(items);
        const row = items.indexOf('text 5');
        if (row >= 0) result.embeddings.data[row * 5 + 2] = Number.NaN;
        return result;
      },
    };
    const { manifest } = await embedToFile(broken, numbered(20), { out, shardRows: 8, skipFailed: true });
    expect(manifest.failed).toEqual([{ id: 'row-5', message: expect.stringContaining('NaN') }]);
  });
});

describe('a second call', () => {
  test('of the same job computes nothing; of another job, the differences are named, and it is replaced only on request', async () => {
    await embed(numbered(20));
    const embedder = digestEmbedder();
    expect(await embed(numbered(20), {}, embedder)).toMatchObject({ resumed: 20, computed: 0 });
    expect(embedder.items()).toBe(0);
    const other = { ...digestEmbedder(), fingerprint: 'other' };
    for (const [call, difference] of [
      [() => embed(numbered(20), { dtype: 'float16' }), 'dtype float32, requested float16'],
      [() => embed(numbered(20), { shardRows: 4 }), 'shardRows 8, requested 4'],
      [() => embed(numbered(21)), 'rows 20, requested 21; other data'],
      [() => embed(rowsOf(['x', ...numbered(20).map(({ item }) => item)].slice(0, 20))), 'other data'],
      [() => embed(numbered(20).map(({ item }) => ({ id: item, item }))), 'other data'],
      [() => embedToFile(other, numbered(20), { out, shardRows: 8 }), 'embedder digest, requested other'],
    ] as const) {
      await expect(call()).rejects.toThrow(StateMismatchError);
      await expect(call()).rejects.toThrow(difference);
    }
    await embed(numbered(21), { resume: false });
    expect((await readEmbeddingManifest(out)).rows).toBe(21);
    expect(readdirSync(folder).sort()).toEqual(['e.safetensors', 'e.safetensors.manifest.json']);
  });

  test('on shards of another job is rejected too, and clearing them keeps other files', async () => {
    const stop = new AbortController();
    const embedder = digestEmbedder({
      onBatch: (items) => {
        if (items.includes('text 12')) stop.abort(new Error('stop'));
      },
    });
    await expect(embed(numbered(20), { signal: stop.signal }, embedder)).rejects.toThrow('stop');
    writeFileSync(join(`${out}.parts`, 'notes.txt'), 'mine');
    await expect(embed(numbered(20), { dtype: 'bfloat16' })).rejects.toThrow('belongs to another job: dtype float32');
    await embed(numbered(20), { dtype: 'bfloat16', resume: false });
    expect(readdirSync(`${out}.parts`)).toEqual(['notes.txt']);
  });

  test('does not accept a file without a manifest, nor a changed one', async () => {
    writeFileSync(out, 'mine');
    await expect(embed(numbered(20))).rejects.toThrow('exists already and has no manifest');
    expect(readFileSync(out, 'utf8')).toBe('mine');
    await embed(numbered(20), { resume: false });
    writeFileSync(out, 'changed');
    await expect(embed(numbered(20))).rejects.toThrow(CorruptFileError);
    await expect(verifyEmbeddings(out)).rejects.toThrow(CorruptFileError);
    rmSync(out);
    await embed(numbered(20));
    expect((await verifyEmbeddings(out)).rows).toBe(20);
  });

  test('does not verify a file by the manifest of another one', async () => {
    await embed(numbered(20));
    const renamed = join(folder, 'renamed.safetensors');
    writeFileSync(renamed, 'other bytes');
    copyFileSync(manifestPath(out), manifestPath(renamed));
    await expect(verifyEmbeddings(renamed)).rejects.toThrow(
      'describes "e.safetensors", not "renamed.safetensors"; rename the file to its original name',
    );
    await expect(embed(numbered(20), { out: renamed })).rejects.toThrow(CorruptFileError);
    const empty = { ...(await readEmbeddingManifest(out)), files: [] };
    writeFileSync(manifestPath(out), encodeManifest(empty));
    await expect(verifyEmbeddings(out)).rejects.toThrow('describes no file, not "e.safetensors"');
  });
});

test('an abort keeps complete shards and leaves no lock; the next run ends with the same bytes', async () => {
  await embed(numbered(50));
  const whole = readFileSync(out);
  for (const at of [0, 7, 23, 49]) {
    await rmSync(out);
    const stop = new AbortController();
    const reason = new Error('enough');
    const embedder = digestEmbedder({
      onBatch: (items) => {
        if (items.includes(`text ${at}`)) stop.abort(reason);
      },
    });
    await expect(embed(numbered(50), { resume: false, signal: stop.signal }, embedder)).rejects.toBe(reason);
    expect(readdirSync(folder).filter((name) => /lock|tmp$|rs$/.test(name))).toEqual([]);
    const again = digestEmbedder();
    await embed(numbered(50), {}, again);
    expect(embedder.items() + again.items()).toBeLessThanOrEqual(50 + 8);
    expect(readFileSync(out).equals(whole)).toBe(true);
  }
});

test('data without rows, with a repeated id, or that changes between its readings is rejected', async () => {
  await expect(embed([])).rejects.toThrow(InputError);
  const twice = [...numbered(9), { id: 'row-4', item: 'x' }];
  await expect(embed(twice)).rejects.toThrow('the data has the id "row-4" twice, in rows 4 and 9');
  let reading = 0;
  const changing = {
    *[Symbol.iterator]() {
      reading++;
      yield* numbered(9);
      yield { id: 'last', item: `reading ${reading}` };
    },
  };
  await expect(embedToFile(digestEmbedder(), changing, { out })).rejects.toThrow(
    'the data changed between its two readings',
  );
  const generator = numbered(9)[Symbol.iterator]();
  await expect(embedToFile(digestEmbedder(), generator, { out, resume: false })).rejects.toThrow(
    'can be read only once',
  );
});

test('ids that the format cannot represent are rejected before anything is embedded', async () => {
  const rows = [
    { id: 'a', item: 'x' },
    { id: 'half \ud800', item: 'y' },
  ];
  for (const extension of ['pt', 'parquet', 'arrow']) {
    const embedder = digestEmbedder();
    const failure = embedToFile(embedder, rows, { out: join(folder, `e.${extension}`) });
    await expect(failure).rejects.toThrow(
      '"half \\ud800" contains a lone surrogate, which UTF-8 cannot represent; write .safetensors',
    );
    expect(embedder.items()).toBe(0);
  }
  for (const extension of ['npy', 'safetensors']) {
    const file = join(folder, `e.${extension}`);
    await embedToFile(digestEmbedder(), rows, { out: file });
    expect((await readEmbeddings(file)).ids).toEqual(rows.map(({ id }) => id));
  }
});

test('options out of range', async () => {
  for (const options of [
    { dtype: 'int8' as 'float16' },
    { shardRows: 0 },
    { batchSize: 1.5 },
    { batchTokens: 100 },
    { out: join(folder, 'e.txt') },
    { out: join(folder, 'e.npy'), dtype: 'bfloat16' as const },
    { out: join(folder, 'e.arrow'), dtype: 'bfloat16' as const },
    { out: join(folder, 'e.parquet'), dtype: 'float16' as const },
  ]) {
    await expect(embed(numbered(3), options)).rejects.toThrow(InvalidArgumentError);
  }
  expect(readdirSync(folder)).toEqual([]);
});
