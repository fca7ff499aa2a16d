import { memorySource, parseSafetensors } from '@rarefy/io';
import { test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { fuzz, fuzzTimeout, smallFiles, sweep, watchWhileFuzzing } from '../../../../tests/support/fuzz-reader.js';
import { mutator, quickRandom } from '../../../../tests/support/mutate-bytes.js';
import { reusedDecoder } from '../../../../tests/support/reused-decoder.js';
import { decodeManifest, encodeManifest } from '../embed-job/manifest.js';
import { openArrowEmbeddings } from '../formats/arrow/arrow-embeddings.js';
import { openNpyEmbeddings } from '../formats/npy.js';
import { openParquetEmbeddings } from '../formats/parquet/parquet-embeddings.js';
import { openSafetensorsEmbeddings } from '../formats/safetensors.js';
import { parseIds } from '../table/ids.js';

const leastUnpacked = 2 ** 24; // of Parquet, whose pages are packed

const arrowCases = casesOf(800, 8_000); // many of them hang, until the limit ends their worker

watchWhileFuzzing();

test('safetensors', { timeout: fuzzTimeout }, async () => {
  const { files } = await smallFiles('safetensors');
  await fuzz(mutator(files, 1), (input) => {
    parseSafetensors(input); // all tensors, in memory
    return openSafetensorsEmbeddings(memorySource(input));
  });
});

test('npy', { timeout: fuzzTimeout }, async () => {
  const { files } = await smallFiles('npy');
  const ids = memorySource(Buffer.from('["a","b","c"]'));
  await fuzz(mutator(files, 2), (input) => openNpyEmbeddings(memorySource(input), ids));
});

test('parquet', { timeout: fuzzTimeout }, async () => {
  const { files } = await smallFiles('parquet');
  await fuzz(mutator(files, 6), (input) => openParquetEmbeddings(memorySource(input)), leastUnpacked);
});

test('arrow', { timeout: fuzzTimeout }, async () => {
  const { files } = await smallFiles('arrow');
  await using decoder = reusedDecoder();
  await fuzz(mutator(files, 7), (input) => openArrowEmbeddings(memorySource(input), {}, decoder), 0, arrowCases);
});

test('ids in JSON', { timeout: fuzzTimeout }, async () => {
  const { ids } = await smallFiles('npy');
  const seeds = [ids, Buffer.from('["a", "b\\u00e9", 5]'), Buffer.from('{"ids":[]}')];
  sweep(mutator(seeds, 10), (input) => parseIds(input, 'x'));
});

test('manifests, every second one with a corrected checksum', { timeout: fuzzTimeout }, () => {
  const manifest = encodeManifest({
    version: 1,
    files: [{ name: 'x.safetensors', bytes: 10, sha256: 'a'.repeat(64) }],
    rows: 2,
    dimensions: 3,
    dtype: 'float32',
    embedder: 'hash@1',
    model: {},
    data: { rows: 2, sha256: 'b'.repeat(64) },
    counts: { distinct: 2, truncated: 0, failed: 0 },
    failed: [],
    shardRows: 512,
    versions: {},
  });
  const next = mutator([manifest], 11);
  const random = quickRandom(12);
  const mended = () => {
    const input = next();
    try {
      const { checksum: _, ...body } = JSON.parse(Buffer.from(input).toString());
      return new Uint8Array(encodeManifest(body));
    } catch {
      return input;
    }
  };
  sweep(
    () => (random(2) === 0 ? next() : mended()),
    (input) => decodeManifest(input, 'x'),
  );
});
