import { CorruptFileError, counterRandom } from '@rarefy/core';
import { describe, expect, test } from 'vitest';
import { digestEmbedder } from '../../../../tests/support/digest-embedder.js';
import { casesOf } from '../../../../tests/support/exhaustive.js';
import { type MemoryFileSystem, memoryFileSystem } from '../../../../tests/support/memory-file-system.js';
import { embedToFile } from './embed-to-file.js';
import { decodeManifest, type EmbeddingManifest, encodeManifest } from './manifest.js';
import { blockBytes, checkBlock, decodeHeader, decodeShard, encodeShard, type ShardHeader } from './shard-format.js';

const random = counterRandom(31);
const below = (draw: number, limit: number) => Math.floor(random.uniform(draw) * limit);
const out = '/data/e.safetensors';
const rows = Array.from({ length: 40 }, (_, row) => ({ id: `row-${row} é`, item: `text ${row}` }));

const job = { embedder: 'x', dimensions: 300, dtype: 'float32' as const, shardRows: 4, rows: 9, rowsSha256: 'y' };
const header: ShardHeader = {
  ...{ job, index: 1, start: 4, rowsSha256: 'z', rowBytes: 1200, truncated: [0, 2] },
  ids: ['a', 'b\u0007', '\ud800', 'ü'],
  failed: [{ row: 1, message: 'no' }],
};
const data = Uint8Array.from({ length: 3600 }, (_, at) => below(at, 256));
const shard = Buffer.concat(encodeShard({ header, data }));

const manifest: EmbeddingManifest = {
  ...{ version: 1, rows: 3, dimensions: 300, dtype: 'float16', embedder: 'x é', shardRows: 4 },
  files: [{ name: 'e.safetensors', bytes: 12, sha256: 'ab' }],
  model: { name: '\u001b\ud800', checksum: 'no' },
  data: { rows: 4, sha256: 'cd' },
  counts: { distinct: 4, truncated: 0, failed: 1 },
  failed: [{ id: 'a\n"', message: '  "checksum": "' }],
  versions: { node: '20' },
};
const sealed = Buffer.from(encodeManifest(manifest));

const files = {
  shard: { bytes: shard, read: (bytes: Uint8Array) => decodeShard(bytes, 'shard') },
  manifest: { bytes: sealed, read: (bytes: Uint8Array) => decodeManifest(bytes, '/data/m.json') },
};

test('what is written is read', () => {
  const read = decodeShard(shard, 'shard');
  expect(read.header).toMatchObject(header);
  expect(Buffer.from(read.data).equals(data)).toBe(true);
  expect(decodeManifest(sealed, 'm')).toEqual(manifest);
});

describe.each(Object.entries(files))('a damaged %s is always noticed', (name, { bytes, read }) => {
  test('one flipped bit', () => {
    const seen = casesOf(500, 5000);
    for (let draw = 0; draw < seen; draw++) {
      const damaged = Uint8Array.from(bytes);
      damaged[below(2 * draw, bytes.length)]! ^= 1 << below(2 * draw + 1, 8);
      expect(() => read(damaged), `flip ${draw}`).toThrow(CorruptFileError);
    }
  });

  test('truncated at any length, and with additional bytes', () => {
    const lengths = Array.from({ length: casesOf(100, 1000) }, (_, draw) =>
      below(draw + (name === 'shard' ? 0 : 1e6), bytes.length),
    );
    for (const length of [...lengths, 0, 1, 15, 16, 47, bytes.length - 1]) {
      expect(() => read(bytes.subarray(0, length)), `${length} bytes`).toThrow(CorruptFileError);
    }
    expect(() => read(Buffer.concat([bytes, Buffer.of(10)]))).toThrow(CorruptFileError);
  });
});

test('header and each block of a shard are checked separately', () => {
  const big = { header: { ...header, rowBytes: blockBytes / 2 }, data: new Uint8Array(1.5 * blockBytes).fill(7) };
  const bytes = Buffer.concat(encodeShard(big));
  const { header: read, dataStart } = decodeHeader(bytes, 'shard');
  expect(read.crc32).toHaveLength(2);
  const block = (index: number) =>
    bytes.subarray(dataStart + index * blockBytes, Math.min(bytes.length - 32, dataStart + (index + 1) * blockBytes));
  for (const index of [0, 1]) checkBlock(block(index), read.crc32[index], 'shard');
  bytes[dataStart + blockBytes + 9]! ^= 4;
  checkBlock(block(0), read.crc32[0], 'shard');
  expect(() => checkBlock(block(1), read.crc32[1], 'shard')).toThrow(CorruptFileError);
  bytes[30]! ^= 4;
  expect(() => decodeHeader(bytes, 'shard')).toThrow(CorruptFileError);
});

test('names of other folders in a manifest are rejected, even with a correct checksum', () => {
  for (const name of ['../x', '/etc/passwd', 'a/b', 'C:\\x', 'a\\b', '..', '', 'a\0b', 'x'.repeat(300)]) {
    const bytes = encodeManifest({ ...manifest, files: [{ name, bytes: 1, sha256: 'ab' }] });
    expect(() => decodeManifest(bytes, '/data/m.json'), name).toThrow(CorruptFileError);
  }
});

describe('a job with damaged shards', () => {
  /** A disk on which the job stopped before its last step. */
  async function stopped(): Promise<MemoryFileSystem> {
    const disk = memoryFileSystem();
    const rename = disk.rename;
    disk.rename = async (path, name) => {
      if (name === out) throw new Error('stop');
      return rename(path, name);
    };
    await expect(embedToFile(digestEmbedder(), rows, { out, shardRows: 8, fileSystem: disk })).rejects.toThrow();
    return disk.after('kill');
  }
  const parts = (disk: MemoryFileSystem) => [...disk.files().keys()].filter((path) => path.includes('.parts/'));

  async function mended(disk: MemoryFileSystem, shards: number) {
    const clean = memoryFileSystem();
    await embedToFile(digestEmbedder(), rows, { out, shardRows: 8, fileSystem: clean });
    const warnings: string[] = [];
    const embedder = digestEmbedder();
    await embedToFile(embedder, rows, {
      ...{ out, shardRows: 8, fileSystem: disk },
      onEvent: (event) => event.type === 'work-warning' && warnings.push(event.code),
    });
    expect(warnings).toEqual(Array(shards).fill('damaged-shard'));
    expect(embedder.items()).toBe(8 * shards);
    expect(Buffer.compare(disk.files().get(out)!, clean.files().get(out)!)).toBe(0);
  }

  test('are computed again, and no others, with the same bytes', async () => {
    const disk = await stopped();
    expect(parts(disk)).toHaveLength(5);
    for (let draw = 0; draw < casesOf(10, 100); draw++) {
      const damaged = disk.after('kill');
      const bytes = damaged.files().get(parts(damaged)[below(3 * draw, 5)]!)!;
      bytes[below(3 * draw + 1, bytes.length)]! ^= 1 << below(3 * draw + 2, 8);
      await mended(damaged, 1);
    }
  });

  test('and two exchanged ones are detected', async () => {
    const disk = await stopped();
    const [first, second] = parts(disk) as [string, string];
    await disk.rename(first, '/data/aside');
    await disk.rename(second, first);
    await disk.rename('/data/aside', second);
    await mended(disk, 2);
  });
});
