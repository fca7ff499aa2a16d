import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { CorruptFileError, InputError } from '@rarefy/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { mutator, quickRandom } from '../../../../tests/support/mutate-bytes.js';
import { watchAllocations } from '../../../../tests/support/watch-allocations.js';
import { decodeManifest, encodeManifest } from '../embed-job/manifest.js';
import { type ByteSource, memorySource } from '../files/byte-source.js';
import { openArrowEmbeddings } from './arrow/arrow-embeddings.js';
import { writeEmbeddings } from './embedding-file.js';
import type { EmbeddingTable } from './embedding-table.js';
import { parseIds } from './ids-json.js';
import { openNpyEmbeddings } from './npy/npy-embeddings.js';
import { openParquetEmbeddings } from './parquet/parquet-embeddings.js';
import { openPtEmbeddings } from './pt/pt-embeddings.js';
import { unpickle } from './pt/unpickle.js';
import { parseSafetensors } from './safetensors.js';
import { openSafetensorsEmbeddings } from './safetensors-embeddings.js';

const golden = (name: string) => fileURLToPath(new URL(`../../../../tests/golden/pt/${name}.pt`, import.meta.url));
const minutes = 60_000;
const slack = 4096; // what a format's fixed parts take, such as a head of 8 bytes
const leastUnpacked = 2 ** 24; // of Parquet, whose pages are packed

let seeds: Record<'safetensors' | 'npy' | 'ids' | 'zip' | 'legacy' | 'parquet' | 'arrow', Uint8Array[]>;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rarefy-io-'));
  const written = async (extension: string, integerIds: boolean, dtype?: 'float16') => {
    const path = join(folder, `x.${extension}`);
    const ids = integerIds ? ['0', '-5', '70000'] : ['a', 'é', 'c'];
    const embeddings = { data: Float32Array.of(1, 2, 3, 4, 5, 6), rows: 3, cols: 2 };
    await writeEmbeddings(path, { ids, integerIds, embeddings, metadata: { note: 'n' } }, { dtype });
    return new Uint8Array(await readFile(path));
  };
  const all = async (extension: string) => [await written(extension, false), await written(extension, true)];
  seeds = {
    safetensors: [...(await all('safetensors')), await written('safetensors', false, 'float16')],
    npy: [await written('npy', false), await written('npy', false, 'float16')],
    ids: [
      new Uint8Array(await readFile(join(folder, 'x.ids.json'))),
      Buffer.from('["a", "b\\u00e9", 5]'),
      Buffer.from('{"ids":[]}'),
    ],
    zip: [
      ...(await all('pt')),
      ...(await Promise.all(['strided', 'float16', 'int_ids'].map((name) => readFile(golden(name))))),
    ],
    legacy: [await readFile(golden('legacy'))],
    parquet: await all('parquet'),
    arrow: [...(await all('arrow')), await written('arrow', false, 'float16')],
  };
  await rm(folder, { recursive: true });
});

const stackTraceLimit = Error.stackTraceLimit;
let watch: ReturnType<typeof watchAllocations>;
beforeAll(() => {
  Error.stackTraceLimit = 0; // a million errors, whose stacks nobody reads
  watch = watchAllocations();
});
afterAll(() => {
  watch.stop();
  Error.stackTraceLimit = stackTraceLimit;
});

interface Outcome {
  read: number;
  refused: number;
}

/** Any other error is a fault of ours. Gives whether it was refused. */
function refused(error: unknown, input: Uint8Array): void {
  if (CorruptFileError.isInstance(error) || InputError.isInstance(error)) return;
  throw new Error(`input ${Buffer.from(input).toString('base64')} ended with ${String(error)}`, { cause: error });
}

function checkLargest(input: Uint8Array, least = 0): void {
  const largest = watch.largest();
  if (largest <= Math.max(2 * input.length + slack, least)) return;
  throw new Error(
    `input ${Buffer.from(input).toString('base64')} of ${input.length} bytes made an array of ${largest}`,
  );
}

/** Reads inputs whole: refused with an error of ours, or sound rows; nothing larger than twice the input is allocated. */
async function fuzz(
  next: () => Uint8Array,
  open: (source: ByteSource) => Promise<EmbeddingTable>,
  least = 0,
): Promise<Outcome> {
  const outcome = { read: 0, refused: 0 };
  const count = casesOf(8_000, 1_000_000);
  for (let round = 0; round < count; round++) {
    const input = next();
    watch.largest();
    try {
      const { ids, values } = await open(memorySource(input, 'x'));
      const { data } = await values.read(0, values.rows);
      if (ids.length !== values.rows || data.length !== values.rows * values.cols)
        throw new TypeError('it does not fit itself');
      outcome.read++;
    } catch (error) {
      refused(error, input);
      outcome.refused++;
    }
    checkLargest(input, least);
  }
  expect(outcome.read + outcome.refused).toBe(count);
  expect(outcome.refused).toBeGreaterThan(count / 10);
  expect(outcome.read).toBeGreaterThan(count / 1000); // the fuzzer gets past the front door
  return outcome;
}

test(
  'safetensors',
  async () => {
    await fuzz(mutator(seeds.safetensors, 1), async (source) => {
      parseSafetensors(await source.read(0, source.size)); // all tensors, in memory
      return openSafetensorsEmbeddings(source);
    });
  },
  20 * minutes,
);

test(
  'npy, and its ids',
  async () => {
    const ids = memorySource(Buffer.from('["a","b","c"]'), 'x.ids.json');
    await fuzz(mutator(seeds.npy, 2), (source) => openNpyEmbeddings(source, ids));
  },
  20 * minutes,
);

test(
  'pt, zip: the archive, and the pickle under a right checksum',
  async () => {
    const whole = mutator(seeds.zip, 3);
    const repacked = seeds.zip.map((archive, index) => pickleMutator(archive, 30 + index));
    const random = quickRandom(4);
    await fuzz(() => (random(2) === 0 ? whole() : repacked[random(repacked.length)]!()), openPtEmbeddings);
  },
  20 * minutes,
);

test(
  'pt, legacy',
  async () => {
    await fuzz(mutator(seeds.legacy, 5), openPtEmbeddings);
  },
  20 * minutes,
);

test(
  'parquet',
  async () => {
    await fuzz(mutator(seeds.parquet, 6), openParquetEmbeddings, leastUnpacked);
  },
  20 * minutes,
);

test(
  'arrow',
  async () => {
    await fuzz(mutator(seeds.arrow, 7), openArrowEmbeddings);
  },
  20 * minutes,
);

test(
  'pickles: mutated ones, and random opcodes',
  () => {
    const pickles = seeds.zip.map((archive) => {
      const [start, end] = pickleRange(archive);
      return archive.slice(start, end);
    });
    const mutated = mutator(pickles, 8);
    const random = quickRandom(9);
    const grammar = opcodeGrammar(random);
    sweep(
      () => (random(2) === 0 ? mutated() : grammar()),
      (input) => unpickle(input, 0, 'x') !== undefined,
      1,
    );
  },
  20 * minutes,
);

test(
  'ids in JSON',
  () => {
    sweep(mutator(seeds.ids, 10), (input) => parseIds(input, 'x').ids.length >= 0, 1000);
  },
  20 * minutes,
);

test(
  'manifests, their checksum mended for every second',
  () => {
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
      (input) => decodeManifest(input, 'x').files.length >= 0,
      1000,
    );
  },
  20 * minutes,
);

/** The same for a reader of bytes; `rarely` is how many inputs to one that is read, at most. */
function sweep(next: () => Uint8Array, read: (input: Uint8Array) => boolean, rarely: number): void {
  const count = casesOf(8_000, 1_000_000);
  let done = 0;
  for (let round = 0; round < count; round++) {
    const input = next();
    watch.largest();
    try {
      if (read(input)) done++;
    } catch (error) {
      refused(error, input);
    }
    checkLargest(input);
  }
  expect(done).toBeGreaterThan(rarely === 1 ? 0 : count / rarely);
  expect(done).toBeLessThan(count);
}

/** Where the stored `data.pkl` of an archive lies, and its checksum. */
function pickleRange(archive: Uint8Array): [start: number, end: number, checksum: number] {
  const bytes = Buffer.from(archive);
  const local = bytes.lastIndexOf('PK\x03\x04', bytes.indexOf('data.pkl'));
  const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const entry = bytes.lastIndexOf('PK\x01\x02', bytes.lastIndexOf('data.pkl'));
  return [start, start + bytes.readUInt32LE(entry + 24), entry + 16];
}

/** The archive with another pickle in place of its own, of the same length, and the checksum of that. */
function pickleMutator(archive: Uint8Array, seed: number): () => Uint8Array {
  const [start, end, checksum] = pickleRange(archive);
  const next = mutator([archive.slice(start, end)], seed, true);
  return () => {
    const pickle = next();
    const bytes = new Uint8Array(archive);
    bytes.set(pickle, start);
    new DataView(bytes.buffer).setUint32(checksum, crc32(pickle), true);
    return bytes;
  };
}

const opcodes = Buffer.from(
  '(.)0123BCFGIJKLMNPQRSTUVX]abcdeghijlopqrstu}\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98',
  'latin1',
);
const harmless = Buffer.from('(().KKMNQRXX]]aeqqhsttu}}\x85\x86\x87\x88\x89\x8acc', 'latin1');
const globals = [
  'torch._utils\n_rebuild_tensor_v2\n',
  'collections\nOrderedDict\n',
  'torch\nFloatStorage\n',
  'os\nsystem\n',
  'torch\n\n',
];

/** Pickles of random opcodes with fitting arguments, most of them of the closed list. */
function opcodeGrammar(random: (bound: number) => number): () => Uint8Array {
  return () => {
    const bytes: number[] = [0x80, 2];
    for (let count = random(40); count > 0; count--) {
      const code = random(20) === 0 ? opcodes[random(opcodes.length)]! : harmless[random(harmless.length)]!;
      bytes.push(code);
      if (code === 0x58) bytes.push(2, 0, 0, 0, 0x30 + random(2), 0x61);
      else if (code === 0x63) bytes.push(...Buffer.from(globals[random(globals.length)]!));
      else if (code === 0x4d) bytes.push(random(256), random(256));
      else if (code === 0x4b || code === 0x71 || code === 0x68) bytes.push(random(4));
      else if (code === 0x8a) bytes.push(1, random(256));
    }
    bytes.push(0x2e);
    return Uint8Array.from(bytes);
  };
}
