import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { memorySource } from '@rarefy/io';
import { beforeAll, test } from 'vitest';
import { fuzz, fuzzTimeout, smallFiles, sweep, watchWhileFuzzing } from '../../../../../tests/support/fuzz-reader.js';
import { mutator, quickRandom } from '../../../../../tests/support/mutate-bytes.js';
import { openPtEmbeddings } from './pt-embeddings.js';
import { unpickle } from './unpickle.js';

const golden = (name: string) =>
  readFile(fileURLToPath(new URL(`../../../../../tests/golden/pt/${name}.pt`, import.meta.url)));
const open = (input: Uint8Array) => openPtEmbeddings(memorySource(input));

let archives: Uint8Array[];
beforeAll(async () => {
  const { files } = await smallFiles('pt');
  archives = [...files, ...(await Promise.all(['strided', 'float16', 'int_ids'].map(golden)))];
});

watchWhileFuzzing();

test('archives, and their pickles with a correct checksum', { timeout: fuzzTimeout }, async () => {
  const whole = mutator(archives, 3);
  const repacked = archives.map((archive, index) => pickleMutator(archive, 30 + index));
  const random = quickRandom(4);
  await fuzz(() => (random(2) === 0 ? whole() : repacked[random(repacked.length)]!()), open);
});

test('the old format', { timeout: fuzzTimeout }, async () => {
  await fuzz(mutator([await golden('legacy')], 5), open);
});

test('mutated pickles, and random opcodes', { timeout: fuzzTimeout }, () => {
  const pickles = archives.map((archive) => {
    const [start, end] = pickleRange(archive);
    return archive.slice(start, end);
  });
  const mutated = mutator(pickles, 8);
  const random = quickRandom(9);
  const grammar = opcodeGrammar(random);
  sweep(
    () => (random(2) === 0 ? mutated() : grammar()),
    (input) => unpickle(input, 0, 'x'),
  );
});

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
