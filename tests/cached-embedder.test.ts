import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Embedder, embed } from '@rarefy/core';
import { cachedEmbedder } from '@rarefy/embedders/cached';
import { hashEmbedder } from '@rarefy/embedders/hash';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'rarefy-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a process that is killed while it fills a cache loses no stored row', async () => {
  const script = `
    const { cachedEmbedder } = await import('@rarefy/embedders/cached');
    const { hashEmbedder } = await import('@rarefy/embedders/hash');
    const cached = await cachedEmbedder(hashEmbedder(), { folder: ${JSON.stringify(folder)} });
    for (let row = 0; row < 500; row++) await cached.embedBatch(['prompt ' + row]);
    process.kill(process.pid, 'SIGKILL');`;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    encoding: 'utf8',
  });
  expect(signal, stderr).toBe('SIGKILL');
  const embedded: string[] = [];
  const inner: Embedder = {
    ...hashEmbedder(),
    embedBatch(texts, options) {
      embedded.push(...texts);
      return hashEmbedder().embedBatch(texts, options);
    },
  };
  const texts = Array.from({ length: 501 }, (_, row) => `prompt ${row}`);
  await using cached = await cachedEmbedder(inner, { folder });
  expect((await embed(cached, texts)).data).toEqual((await embed(hashEmbedder(), texts)).data);
  expect(embedded).toEqual(['prompt 500']);
});
