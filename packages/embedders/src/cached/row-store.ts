import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type CallOptions, InputError } from '@rarefy/core';

interface StoredRow {
  /** SHA-256 of the item, in hexadecimal. */
  readonly key: string;
  /** Whether the embedder cut the item's text. */
  readonly isTruncated: boolean;
  readonly row: Float32Array;
}

/** Rows on disk, found by the key of their item. */
interface RowStore {
  /** Returns undefined if there is no such row, or if its bytes are damaged. */
  find(key: string): Promise<StoredRow | undefined>;
  /** @throws InputError if the file system refuses. */
  add(rows: readonly StoredRow[]): Promise<void>;
  close(): Promise<void>;
}

const extension = '.rows';
const readBytes = 2 ** 20;

/** A record in a file: key, truncation flag, float32 numbers, CRC-32 of all that; little-endian, all records of the same size. */
const keyBytes = 32;
const headBytes = keyBytes + 1;
const checksumBytes = 4;

/**
 * Opens the rows in a folder, which is created if missing. Every store appends to a file of its own, so many processes can use a
 * folder at the same time; a process sees the rows of another one when it opens the folder. If a process is killed while it writes
 * a row, only that row is lost. Needs about 150 bytes of memory per row.
 * @throws InputError if the folder cannot be used; the signal's reason on abort.
 */
export async function openRowStore(folder: string, dimensions: number, { signal }: CallOptions): Promise<RowStore> {
  const recordBytes = headBytes + 4 * dimensions + checksumBytes;
  const files: FileHandle[] = [];
  const records = new Map<string, { readonly file: FileHandle; readonly offset: number }>();
  const orInputError = async <Value>(work: Promise<Value>): Promise<Value> =>
    work.catch((cause) => {
      throw new InputError(`the cache in ${folder} cannot be used: ${(cause as Error).message}`, { cause });
    });
  const close = async () => {
    await Promise.all(files.splice(0).map((file) => file.close()));
    records.clear();
  };

  try {
    await orInputError(mkdir(folder, { recursive: true }));
    const chunk = Buffer.alloc(Math.max(1, Math.floor(readBytes / recordBytes)) * recordBytes);
    for (const name of (await orInputError(readdir(folder))).filter((file) => file.endsWith(extension)).sort()) {
      const file = await orInputError(open(join(folder, name)));
      files.push(file);
      for (let start = 0, isWhole = true; isWhole; start += chunk.length) {
        signal?.throwIfAborted();
        const { bytesRead } = await orInputError(file.read(chunk, 0, chunk.length, start));
        isWhole = bytesRead === chunk.length;
        for (let offset = 0; offset + recordBytes <= bytesRead; offset += recordBytes) {
          records.set(chunk.toString('hex', offset, offset + keyBytes), { file, offset: start + offset });
        }
      }
    }
  } catch (error) {
    await close();
    throw error;
  }

  let own: Promise<FileHandle> | undefined;
  let end = 0;
  const openOwn = async () => {
    const file = await open(join(folder, `${randomUUID()}${extension}`), 'wx+');
    files.push(file);
    return file;
  };
  return {
    async find(key) {
      const known = records.get(key);
      if (known === undefined) return undefined;
      const record = Buffer.alloc(recordBytes);
      const { bytesRead } = await orInputError(known.file.read(record, 0, recordBytes, known.offset));
      const found = bytesRead === recordBytes ? readRecord(record) : undefined;
      return found?.key === key ? found : undefined;
    },
    async add(rows) {
      const bytes = Buffer.alloc(rows.length * recordBytes);
      rows.forEach((row, index) => {
        writeRecord(bytes.subarray(index * recordBytes, (index + 1) * recordBytes), row);
      });
      const start = end;
      end += bytes.length; // reserved before the first await, so that two calls never write to the same offset
      own ??= openOwn();
      const file = await orInputError(own);
      for (let written = 0; written < bytes.length; ) {
        const left = bytes.length - written;
        written += (await orInputError(file.write(bytes, written, left, start + written))).bytesWritten;
      }
      rows.forEach(({ key }, index) => {
        records.set(key, { file, offset: start + index * recordBytes });
      });
    },
    close,
  };
}

/** @param record has the size of one record and is overwritten */
function writeRecord(record: Buffer, { key, isTruncated, row }: StoredRow): void {
  record.write(key, 0, 'hex');
  record[keyBytes] = isTruncated ? 1 : 0;
  for (let column = 0; column < row.length; column++) record.writeFloatLE(row[column]!, headBytes + 4 * column);
  record.writeUInt32LE(crc32(record.subarray(0, -checksumBytes)), record.length - checksumBytes);
}

/** The row in a record, or undefined if the checksum does not match. */
function readRecord(record: Buffer): StoredRow | undefined {
  const checksum = record.readUInt32LE(record.length - checksumBytes);
  if (crc32(record.subarray(0, -checksumBytes)) !== checksum) return undefined;
  const row = new Float32Array((record.length - headBytes - checksumBytes) / 4);
  for (let column = 0; column < row.length; column++) row[column] = record.readFloatLE(headBytes + 4 * column);
  return { key: record.toString('hex', 0, keyBytes), isTruncated: record[keyBytes] === 1, row };
}
