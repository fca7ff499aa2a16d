import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { counterRandom, type Embedder, embed, InputError, ShapeError, type WorkEvent } from '@rarefy/core';
import { embedderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { afterAll, expect, test, vi } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { hashEmbedder } from '../hash.js';
import { cachedEmbedder } from './cached-embedder.js';

const folders: string[] = [];
const made: Embedder[] = [];
const make = async (...[embedder, options]: Parameters<typeof cachedEmbedder<string>>) => {
  made.push(await cachedEmbedder(embedder, options));
  return made.at(-1)!;
};
const newFolder = () => {
  folders.push(mkdtempSync(join(tmpdir(), 'rarefy-cache-')));
  return folders.at(-1)!;
};
afterAll(async () => {
  for (const embedder of made) await embedder[Symbol.asyncDispose]();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const items = Array.from({ length: 40 }, (_, row) => `prompt ${row % 30} of thirty`);
const dimensions = 8;

/** Records the items that are embedded, and reports those whose length is a multiple of 3 as truncated. */
function counted(seed = 0) {
  const embedded: string[] = [];
  const inner = hashEmbedder({ dimensions, seed });
  const embedder: Embedder = {
    ...inner,
    async embedBatch(texts, options) {
      embedded.push(...texts);
      const cut = texts.flatMap((text, index) => (text.length % 3 === 0 ? [index] : []));
      return { ...(await inner.embedBatch(texts, options)), truncated: Uint32Array.from(cut) };
    },
  };
  return { embedder, embedded };
}

/** The only file in the cache. */
const fileOf = (folder: string) => {
  const [name, ...others] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.rows'),
  );
  expect(others).toEqual([]);
  return join(folder, name!);
};

describeChecks(
  'cachedEmbedder',
  embedderChecks({
    create: () => make(hashEmbedder(), { folder: newFolder() }),
    variants: [() => make(hashEmbedder({ seed: 1 }), { folder: newFolder() })],
    fingerprint: hashEmbedder().fingerprint,
  }),
);

test('an item is embedded once, in this run and later ones, with the same row and truncation flag', async () => {
  const folder = newFolder();
  const { embedder, embedded } = counted();
  const plain = await embedder.embedBatch(items);
  for (let run = 0; run < 3; run++) {
    const { embedder: inner, embedded: again } = counted();
    const cached = await cachedEmbedder(inner, { folder });
    for (let batch = 0; batch < 2; batch++) {
      expect(await cached.embedBatch(items)).toEqual(plain);
    }
    expect(again).toEqual(run === 0 ? items.slice(0, 30) : []);
    await cached[Symbol.asyncDispose]();
  }
  expect(embedded).toHaveLength(items.length);
});

test('the cache distinguishes items by content and embedders by fingerprint', async () => {
  const folder = newFolder();
  const pairs = [{ prompt: 'a', assistant: 'b' }, { prompt: 'ab' }, { prompt: 'a' }, { prompt: 'a\ud83d' }];
  const seen: unknown[] = [];
  const inner: Embedder<unknown> = {
    ...hashEmbedder({ dimensions }),
    async embedBatch(batch) {
      seen.push(...batch);
      return hashEmbedder({ dimensions }).embedBatch(batch.map((item) => JSON.stringify(item)));
    },
  };
  await using cached = await cachedEmbedder(inner, { folder });
  await cached.embedBatch([...pairs, ...pairs]);
  await cached.embedBatch(pairs.toReversed());
  expect(seen).toEqual(pairs);
  await cached[Symbol.asyncDispose]();
  await using one = await cachedEmbedder(counted(1).embedder, { folder });
  await using other = await cachedEmbedder(counted(2).embedder, { folder });
  expect((await embed(one, items)).data).toEqual((await embed(counted(1).embedder, items)).data);
  expect((await embed(other, items)).data).toEqual((await embed(counted(2).embedder, items)).data);
});

test('two caches in one folder and concurrent calls keep all rows', async () => {
  const folder = newFolder();
  const plain = await counted().embedder.embedBatch(items);
  const stores = [counted(), counted()];
  const cached = await Promise.all(stores.map(({ embedder }) => cachedEmbedder(embedder, { folder })));
  const halves = await Promise.all(
    Array.from({ length: 8 }, (_, part) => cached[part % 2]!.embedBatch(items.slice(5 * part, 5 * part + 5))),
  );
  expect(halves.flatMap(({ embeddings }) => Array.from(embeddings.data))).toEqual(Array.from(plain.embeddings.data));
  await Promise.all(cached.map((store) => store[Symbol.asyncDispose]()));
  const { embedder, embedded } = counted();
  expect(await (await make(embedder, { folder })).embedBatch(items)).toEqual(plain);
  expect(embedded).toEqual([]);
});

test('a flipped bit or a truncated file loses the rows it touches and never returns a wrong row', async () => {
  const folder = newFolder();
  const first = await cachedEmbedder(counted().embedder, { folder });
  const plain = await first.embedBatch(items);
  await first[Symbol.asyncDispose]();
  const file = fileOf(folder);
  const whole = readFileSync(file);
  const recordBytes = whole.length / 30;
  const random = counterRandom(3);
  const cases = casesOf(200, 2_000);
  for (let at = 0; at < cases; at++) {
    const bit = Math.floor(random.uniform(at) * 8 * whole.length);
    const damaged = Buffer.from(whole);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(file, damaged);
    if (at % 4 === 0) truncateSync(file, bit >> 3);
    const { embedder, embedded } = counted();
    await using cached = await cachedEmbedder(embedder, { folder });
    expect(await cached.embedBatch(items)).toEqual(plain);
    const touched = Math.floor((bit >> 3) / recordBytes);
    expect(embedded).toEqual(at % 4 === 0 ? items.slice(touched, 30) : [items[touched]]);
    await cached[Symbol.asyncDispose]();
    for (const name of readdirSync(join(file, '..'))) {
      if (join(file, '..', name) !== file) rmSync(join(file, '..', name));
    }
  }
});

test('an unusable folder is an error; a full disk causes one warning and embedding continues', async () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  await expect(cachedEmbedder(counted().embedder, { folder: join(file, 'below') })).rejects.toBeInstanceOf(InputError);
  const folder = newFolder();
  await using cached = await cachedEmbedder(counted().embedder, { folder });
  const events: WorkEvent[] = [];
  await cached.embedBatch(['before']);
  const probe = await import('node:fs/promises').then(({ open }) => open(fileOf(folder)));
  const write = vi.spyOn(Object.getPrototypeOf(probe), 'write').mockRejectedValue(new Error('ENOSPC: no space left'));
  await probe.close();
  for (const batch of [items.slice(0, 20), items]) {
    const { embeddings } = await cached.embedBatch(batch, { onEvent: (event) => events.push(event) });
    expect(embeddings).toEqual((await counted().embedder.embedBatch(batch)).embeddings);
  }
  write.mockRestore();
  expect(events).toEqual([
    expect.objectContaining({
      code: 'cache-not-written',
      message: expect.stringMatching(/no space left; embedding continues/),
    }),
  ]);
});

test('rows with NaN and rows of the wrong shape are not stored', async () => {
  const folder = newFolder();
  const broken: Embedder = {
    ...hashEmbedder({ dimensions }),
    embedBatch: async (texts) => {
      const data = new Float32Array(texts.length * dimensions).fill(Number.NaN);
      return { embeddings: { data, rows: texts.length, cols: dimensions } };
    },
  };
  await using cached = await cachedEmbedder(broken, { folder });
  await expect(embed(cached, items)).rejects.toThrow('returned NaN');
  await cached[Symbol.asyncDispose]();
  const { embedder, embedded } = counted();
  await (await make(embedder, { folder })).embedBatch(items);
  expect(embedded).toHaveLength(30);
  const short: Embedder = {
    ...broken,
    embedBatch: async () => ({ embeddings: { data: new Float32Array(1), rows: 1, cols: 1 } }),
  };
  await using other = await cachedEmbedder(short, { folder: newFolder() });
  await expect(other.embedBatch(items)).rejects.toBeInstanceOf(ShapeError);
});

test('an abort while stored rows are read, or new ones written, rejects with its reason', async () => {
  const cached = await make(hashEmbedder({ dimensions }), { folder: newFolder() });
  for (const state of ['new', 'stored']) {
    const controller = new AbortController();
    const reason = new Error(state);
    const pending = cached.embedBatch(items, { signal: controller.signal });
    controller.abort(reason);
    await expect(pending, state).rejects.toBe(reason);
    expect((await cached.embedBatch(items)).embeddings.rows).toBe(items.length);
  }
});
