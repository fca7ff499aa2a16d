import { join } from 'node:path';
import { type CallOptions, CorruptFileError, type RowSource, ShapeError, StateMismatchError } from '@rarefy/core';
import { type FileSystem, fileError, type OpenFile, orFileError, toFloat32, writeAtomically } from '@rarefy/io';
import { storedDtypes } from '../table/table.js';
import {
  blockBytes,
  checkBlock,
  decodeHeader,
  decodeShard,
  type EmbedJob,
  encodeShard,
  type Shard,
  type ShardHeader,
  shardHeaderBytes,
} from './shard-format.js';

/** The finished shards of a job, in a folder of their own. Each is written completely or not at all, and never changed. */
export interface ShardStore {
  /** Reads and checks a whole shard. @throws CorruptFileError if it is damaged, or has the name of another shard. */
  read(index: number): Promise<Shard>;
  readHeader(index: number): Promise<ShardHeader>;
  /** Stored bytes of some rows of a shard, undefined for a failed row. Reads only the blocks that contain them. */
  readRows(index: number, rows: readonly number[]): Promise<(Uint8Array | undefined)[]>;
  write(shard: Shard): Promise<void>;
  has(index: number): boolean;
  /** Whether there are no shards. */
  isEmpty(): boolean;
  /** Removes the shards and unfinished files, but no file that the store did not write. */
  clear(): Promise<void>;
}

const fileOf = (index: number) => `shard-${String(index).padStart(6, '0')}.rows`;
const ownFile = /^(shard-\d{6,}\.rows|\.shard-\d{6,}\.rows\.[0-9a-f]{12}\.tmp)$/;

/**
 * The shards of `job` in a folder, which need not exist. With `anyJob` the store may only be cleared.
 * @throws StateMismatchError if there are shards of another job; InputError if the folder cannot be read.
 */
export async function openShardStore(
  folder: string,
  job: EmbedJob,
  { fileSystem, beforeCommit }: { readonly fileSystem: FileSystem; readonly beforeCommit: () => Promise<void> },
  options: CallOptions & { readonly anyJob?: boolean } = {},
): Promise<ShardStore> {
  const indices = new Set<number>();
  const pathOf = (index: number) => join(folder, fileOf(index));

  const withFile = async <Value>(index: number, use: (file: OpenFile, size: number) => Promise<Value>) => {
    const path = pathOf(index);
    const file = await orFileError('read', path, fileSystem.open(path));
    try {
      return await use(file, await orFileError('read', path, file.size()));
    } finally {
      await file.close().catch(() => {});
    }
  };
  const readBytes = async (file: OpenFile, path: string, start: number, length: number) => {
    const bytes = new Uint8Array(length);
    const read = await orFileError('read', path, file.read(bytes, start));
    return bytes.subarray(0, read);
  };
  const headerOf = async (file: OpenFile, size: number, path: string) => {
    const length = shardHeaderBytes(await readBytes(file, path, 0, Math.min(16, size)), size, path);
    return decodeHeader(await readBytes(file, path, 0, length), path);
  };
  const checkOwner = (header: ShardHeader, index: number) => {
    if (header.index === index && sameJob(header.job, job)) return;
    throw new CorruptFileError(`${pathOf(index)} contains another shard than its name says; run the job again`);
  };

  const store: ShardStore = {
    has: (index) => indices.has(index),
    isEmpty: () => indices.size === 0,
    read: (index) =>
      withFile(index, async (file, size) => {
        const path = pathOf(index);
        const shard = decodeShard(await readBytes(file, path, 0, size), path);
        checkOwner(shard.header, index);
        return shard;
      }),
    readHeader: (index) =>
      withFile(index, async (file, size) => {
        const { header } = await headerOf(file, size, pathOf(index));
        checkOwner(header, index);
        return header;
      }),
    readRows: (index, rows) =>
      withFile(index, async (file, size) => {
        const path = pathOf(index);
        const { header, dataStart } = await headerOf(file, size, path);
        checkOwner(header, index);
        const failed = new Set(header.failed.map(({ row }) => row));
        const slotOf = new Map<number, number>();
        header.ids.forEach((_, row) => {
          if (!failed.has(row)) slotOf.set(row, slotOf.size);
        });
        const dataBytes = slotOf.size * header.rowBytes;
        const blocks = new Map<number, Uint8Array>();
        const blockAt = async (block: number) => {
          const known = blocks.get(block);
          if (known) return known;
          const start = block * blockBytes;
          const bytes = await readBytes(file, path, dataStart + start, Math.min(blockBytes, dataBytes - start));
          checkBlock(bytes, header.crc32[block], path);
          blocks.clear(); // rows are requested in order, so keeping one block is enough
          blocks.set(block, bytes);
          return bytes;
        };
        const result: (Uint8Array | undefined)[] = [];
        for (const row of rows) {
          const slot = slotOf.get(row);
          const bytes = slot === undefined ? undefined : new Uint8Array(header.rowBytes);
          for (let done = 0; bytes && done < bytes.length; ) {
            const offset = slot! * header.rowBytes + done;
            const block = Math.floor(offset / blockBytes);
            const part = (await blockAt(block)).subarray(offset - block * blockBytes).subarray(0, bytes.length - done);
            bytes.set(part, done);
            done += part.length;
          }
          result.push(bytes);
        }
        return result;
      }),
    async write(shard) {
      await writeAtomically(pathOf(shard.header.index), encodeShard(shard), { fileSystem, beforeCommit });
      indices.add(shard.header.index);
    },
    async clear() {
      const names = await listFolder(folder, fileSystem);
      for (const name of names.filter((name) => ownFile.test(name))) {
        await orFileError('write', folder, fileSystem.remove(join(folder, name)));
      }
      indices.clear();
      if (names.length > 0 && names.every((name) => ownFile.test(name))) {
        await orFileError('write', folder, fileSystem.remove(folder));
      }
    },
  };

  for (const name of await listFolder(folder, fileSystem)) {
    options.signal?.throwIfAborted();
    if (name.endsWith('.tmp') && ownFile.test(name)) {
      await orFileError('write', folder, fileSystem.remove(join(folder, name)));
      continue;
    }
    const index = ownFile.test(name) ? Number(name.slice(6, -5)) : -1;
    if (index < 0 || fileOf(index) !== name) continue;
    indices.add(index);
    if (options.anyJob) continue;
    const other = await withFile(index, (file, size) => headerOf(file, size, pathOf(index))).catch((error: unknown) => {
      if (CorruptFileError.isInstance(error)) return undefined; // reported and recomputed when its turn comes
      throw error;
    });
    if (other && !sameJob(other.header.job, job)) throw otherJob(folder, other.header.job, job);
  }
  return store;
}

/**
 * The rows of a job that did not fail, from all shards, with one shard in memory at a time. Efficient when read in order.
 * @param rowsOf number of rows of each shard that did not fail
 */
export function shardRowSource(store: ShardStore, job: EmbedJob, rowsOf: readonly number[]): RowSource {
  const { dtype, dimensions: cols } = job;
  let open: { readonly index: number; readonly shard: Shard } | undefined;
  return {
    rows: rowsOf.reduce((sum, rows) => sum + rows, 0),
    cols,
    async read(start, end, { signal } = {}) {
      const data = new Float32Array((end - start) * cols);
      let first = 0; // row at which the shard begins
      let done = 0;
      for (let index = 0; index < rowsOf.length && first < end; first += rowsOf[index++]!) {
        const from = Math.max(start, first) - first;
        const to = Math.min(end - first, rowsOf[index]!);
        if (to <= from) continue;
        signal?.throwIfAborted();
        if (open?.index !== index) open = { index, shard: await store.read(index) };
        const { header, data: stored } = open.shard;
        if (stored.length !== rowsOf[index]! * header.rowBytes)
          throw new ShapeError(`shard ${index} does not have the expected rows`);
        const bytes = stored.subarray(from * header.rowBytes, to * header.rowBytes);
        const values = toFloat32({ dtype: storedDtypes[dtype], shape: [to - from, cols], bytes });
        data.set(values, done);
        done += values.length;
      }
      return { data, rows: end - start, cols };
    },
  };
}

async function listFolder(folder: string, fileSystem: FileSystem): Promise<string[]> {
  try {
    return (await fileSystem.list(folder)).sort();
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return [];
    throw fileError('read', folder, cause);
  }
}

const jobKeys = ['embedder', 'dimensions', 'dtype', 'shardRows', 'rows', 'rowsSha256'] as const;

function sameJob(a: EmbedJob, b: EmbedJob): boolean {
  return jobKeys.every((key) => a[key] === b[key]);
}

/** The error that names the differences between the job found and the job requested. */
export function otherJob(path: string, there: Partial<EmbedJob>, asked: EmbedJob): StateMismatchError {
  const differences = jobKeys
    .filter((key) => key in there && there[key] !== asked[key])
    .map((key) => (key === 'rowsSha256' ? 'other data' : `${key} ${there[key]}, requested ${asked[key]}`));
  return new StateMismatchError(
    `${path} belongs to another job: ${differences.join('; ')}. Choose another output, or start over, which removes it (resume: false, --no-resume).`,
  );
}
