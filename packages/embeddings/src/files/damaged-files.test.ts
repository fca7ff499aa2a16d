import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CorruptFileError, InputError } from '@rarefy/core';
import { type ByteSource, memorySource } from '@rarefy/io';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { reusedDecoder } from '../../../../tests/support/reused-decoder.js';
import { openArrowEmbeddings } from '../formats/arrow/arrow-embeddings.js';
import { openNpyEmbeddings } from '../formats/npy.js';
import { openParquetEmbeddings } from '../formats/parquet/parquet-embeddings.js';
import { openPtEmbeddings } from '../formats/pt/pt-embeddings.js';
import { openSafetensorsEmbeddings } from '../formats/safetensors.js';
import type { EmbeddingTable } from '../table/table.js';
import { writeEmbeddings } from './embedding-file.js';

const rows = 5;
const cols = 4;
const file = {
  ids: Array.from({ length: rows }, (_, row) => `row ${row}`),
  embeddings: { data: Float32Array.from({ length: rows * cols }, (_, index) => 1 + index / 7), rows, cols },
  metadata: { embedder: 'model@1' },
};
const npyIds = memorySource(Buffer.from(JSON.stringify(file.ids)), 'x.ids.json');

interface Format {
  readonly open: (source: ByteSource) => Promise<EmbeddingTable>;
  /** Whether a checksum covers the ids, the numbers and the metadata. */
  readonly hasChecksum: boolean;
  /** Whether one bit may make a sound file of another form: float16 of float32, a window of an old .pt file's storage. */
  readonly mayChangeForm?: true;
}
const decoder = reusedDecoder();
afterAll(() => decoder[Symbol.asyncDispose]());

const formats: Readonly<Record<string, Format>> = {
  safetensors: { open: openSafetensorsEmbeddings, hasChecksum: false },
  npy: { open: (source) => openNpyEmbeddings(source, npyIds), hasChecksum: false },
  pt: { open: openPtEmbeddings, hasChecksum: true },
  parquet: { open: openParquetEmbeddings, hasChecksum: false },
  arrow: { open: (source) => openArrowEmbeddings(source, {}, decoder), hasChecksum: false, mayChangeForm: true },
  'legacy.pt': { open: openPtEmbeddings, hasChecksum: false, mayChangeForm: true },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function bytesOf(extension: string): Promise<Uint8Array> {
  const golden = fileURLToPath(new URL('../../../../tests/golden/pt/legacy.pt', import.meta.url));
  const path = extension === 'legacy.pt' ? golden : join(folder, `x.${extension}`);
  if (path !== golden) await writeEmbeddings(path, file);
  return new Uint8Array(await readFile(path));
}

/** What a file gives, or undefined when it is refused. */
async function contentOf({ open }: Format, bytes: Uint8Array) {
  try {
    const { values, dtype, ids, metadata } = await open(memorySource(bytes, 'x'));
    const { data } = await values.read(0, values.rows);
    return {
      content: JSON.stringify([ids, metadata, [...new Uint32Array(data.buffer)]]),
      form: `${dtype} ${values.rows} x ${values.cols}`,
    };
  } catch (error) {
    if (CorruptFileError.isInstance(error) || InputError.isInstance(error)) return undefined;
    throw error;
  }
}

test.each(Object.keys(formats))(
  '%s: every flipped bit is rejected, changes nothing, or changes something that no checksum covers',
  async (extension) => {
    const format = formats[extension]!;
    const bytes = await bytesOf(extension);
    const sound = await contentOf(format, bytes);
    expect(sound).toBeDefined();
    const counts = { refused: 0, harmless: 0, unseen: 0 };
    // Many damaged Arrow files hang until the limit ends their worker. A step of 7 reaches every bit of a byte.
    const step = extension === 'arrow' ? casesOf(7, 1) : 1;
    for (let bit = 0; bit < 8 * bytes.length; bit += step) {
      const damaged = new Uint8Array(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const found = await contentOf(format, damaged);
      if (found && !format.mayChangeForm) expect(found.form, `bit ${bit}`).toBe(sound!.form);
      counts[!found ? 'refused' : found.content === sound!.content ? 'harmless' : 'unseen']++;
    }
    expect(counts.refused).toBeGreaterThan(0);
    if (format.hasChecksum) expect(counts.unseen).toBe(0);
    // the numbers at least, or the guide says too little
    else expect(counts.unseen).toBeGreaterThanOrEqual(Math.floor((8 * 4 * rows * cols) / step));
  },
);

test.each(Object.keys(formats))('%s: a file cut anywhere is refused', async (extension) => {
  const bytes = await bytesOf(extension);
  for (let length = 0; length < bytes.length; length++) {
    expect(await contentOf(formats[extension]!, bytes.subarray(0, length)), `${length} bytes`).toBeUndefined();
  }
});
