import { createHash } from 'node:crypto';
import { RarefyError } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { digestEmbedder } from '../../../../tests/support/digest-embedder.js';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { type Fault, type MemoryFileSystem, memoryFileSystem } from '../../../../tests/support/memory-file-system.js';
import { type EmbedToFileOptions, embedToFile } from './embed-to-file.js';

const out = '/data/e.safetensors';
const shardRows = 8;
/** 37 rows in 5 shards; some items repeat, within a shard and from earlier ones. */
const rows = Array.from({ length: 37 }, (_, row) => ({ id: `row-${row}`, item: `text ${row % 9 === 7 ? 3 : row}` }));
const distinct = new Set(rows.map(({ item }) => item)).size;

async function embedOn(fileSystem: MemoryFileSystem, options: Partial<EmbedToFileOptions> = {}) {
  const embedder = digestEmbedder();
  const error = await embedToFile(embedder, rows, { out, shardRows, fileSystem, ...options }).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return { error, items: embedder.items() };
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const digests = (files: ReadonlyMap<string, Uint8Array>) =>
  Object.fromEntries([...files].map(([path, bytes]) => [path, sha256(bytes)]).sort());

const clean = memoryFileSystem();
expect(await embedOn(clean)).toEqual({ error: undefined, items: distinct });
const expected = clean.files();
const calls = clean.calls.length;
/** Every n-th call fails in CI; otherwise some, others in each test. */
const step = casesOf(5, 1);

test('a run without faults leaves the file and its manifest, and nothing else', () => {
  expect([...expected.keys()].sort()).toEqual([out, `${out}.manifest.json`]);
  for (const call of ['write', 'sync', 'rename', 'syncFolder']) expect(clean.calls).toContain(call);
});

/** Output and manifest are those of before, or those of after; and never a manifest of other bytes. */
function expectWhole(files: Map<string, Uint8Array>, before: Map<string, Uint8Array>) {
  const states = [before, expected].map((state) => [state.get(out), state.get(`${out}.manifest.json`)]);
  const [file, manifest] = [files.get(out), files.get(`${out}.manifest.json`)];
  expect(states.some(([known]) => equal(known, file))).toBe(true);
  if (manifest) expect(states.some(([known, told]) => equal(known, file) && equal(told, manifest))).toBe(true);
}

const equal = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
  a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);

describe('a run that ends at any call goes on to the same bytes, and computes at most one shard again', () => {
  test.each(['kill', 'power', 'renamed'] as const)('%s', async (end) => {
    let worst = 0;
    for (let at = 1 + (end.length % step); at <= calls; at += step) {
      for (const torn of [false, true]) {
        const disk = memoryFileSystem({ at, code: 'killed', torn });
        const first = await embedOn(disk);
        const left = disk.after(end);
        expectWhole(left.files(), new Map());
        const second = await embedOn(left);
        expect(second.error, `${disk.calls[at - 1]} ${at}`).toBeUndefined();
        expect(digests(left.files()), `${disk.calls[at - 1]} ${at}`).toEqual(digests(expected));
        worst = Math.max(worst, first.items + second.items - distinct);
      }
    }
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThanOrEqual(shardRows);
  });

  test('repeatedly: each run ends five calls later than the one before', async () => {
    let disk = memoryFileSystem({ at: 5, code: 'killed' });
    for (let at = 5; (await embedOn(disk)).error !== undefined; at += 5) {
      expect(at).toBeLessThan(calls);
      disk = disk.after('power', { at, code: 'killed' });
    }
    expect(digests(disk.files())).toEqual(digests(expected));
  });
});

describe('a disk that refuses the n-th call of a kind: a typed error, old or new state, then the same bytes', () => {
  const older = memoryFileSystem();
  const kinds = [...new Set(clean.calls)].sort();
  test.each(kinds)('%s', async (only) => {
    await embedOn(older, { dtype: 'float16' });
    const count = clean.calls.filter((call) => call === only).length + 20; // replacing an older output takes more calls
    for (const code of ['ENOSPC', 'EIO'] as const) {
      for (let at = 1 + (code.length % step); at <= count; at += step) {
        const fault: Fault = { at, only, code, torn: code === 'ENOSPC' };
        const disk = older.after('kill', fault);
        const before = disk.files();
        const { error, items } = await embedOn(disk, { resume: false });
        if (error !== undefined) {
          expect(RarefyError.isInstance(error), `${error}`).toBe(true);
          expect((error as Error).message).toMatch(/^cannot (read|write) .*\. [A-Z]/);
        } else expect(equal(disk.files().get(out), expected.get(out))).toBe(true);
        expectWhole(disk.files(), before);
        const left = disk.after('kill');
        const hasBegun = [...left.files().keys()].some((path) => path.includes('.parts/'));
        const isNew = equal(left.files().get(out), expected.get(out));
        const again = await embedOn(left, { resume: hasBegun || isNew });
        expect(again.error, `${only} ${at}`).toBeUndefined();
        expect(digests(left.files())).toEqual(digests(expected));
        if (hasBegun) expect(items + again.items - distinct).toBeLessThanOrEqual(shardRows);
      }
    }
  });
});
