import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, InputError } from '@rarefy/core';
import { readRecord, recordBytes, type StoredRow, writeRecord } from './record.js';

/** Rows on disk by the key of their item. */
export interface RowStore {
  /** undefined when it is not there, or when its bytes are not those that were written. */
  find(key: string): Promise<StoredRow | undefined>;
  /** @throws InputError when the file system refuses */
  add(rows: readonly StoredRow[]): Promise<void>;
  close(): Promise<void>;
}

const extension = '.rows';
const chunkBytes = 2 ** 20;

/**
 * Opens the rows of a folder, which is made when it is missing. Every store that adds rows appends them to a file of its own, so that
 * many processes may use a folder at the same time; what one adds, another sees when it opens the folder. A row that a killed process
 * left unfinished is not found, and nothing else is lost. About 150 bytes of memory a row.
 * @throws InputError when the folder cannot be used; the signal's reason on abort.
 */
export async function openRowStore(folder: string, dimensions: number, { signal }: CallOptions): Promise<RowStore> {
  const size = recordBytes(dimensions);
  const files: FileHandle[] = [];
  const places = new Map<string, { readonly file: FileHandle; readonly at: number }>();
  const orInputError = async <Value>(work: Promise<Value>): Promise<Value> =>
    work.catch((cause) => {
      throw new InputError(`the cache in ${folder} cannot be used: ${(cause as Error).message}`, { cause });
    });
  const close = async () => {
    await Promise.all(files.splice(0).map((file) => file.close()));
    places.clear();
  };

  try {
    await orInputError(mkdir(folder, { recursive: true }));
    const chunk = Buffer.alloc(Math.max(1, Math.floor(chunkBytes / size)) * size);
    for (const name of (await orInputError(readdir(folder))).filter((file) => file.endsWith(extension)).sort()) {
      const file = await orInputError(open(join(folder, name)));
      files.push(file);
      for (let start = 0, isWhole = true; isWhole; start += chunk.length) {
        signal?.throwIfAborted();
        const { bytesRead } = await orInputError(file.read(chunk, 0, chunk.length, start));
        isWhole = bytesRead === chunk.length;
        for (let at = 0; at + size <= bytesRead; at += size) {
          places.set(chunk.toString('hex', at, at + 32), { file, at: start + at });
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
      const place = places.get(key);
      if (place === undefined) return undefined;
      const record = Buffer.alloc(size);
      const { bytesRead } = await orInputError(place.file.read(record, 0, size, place.at));
      const found = bytesRead === size ? readRecord(record) : undefined;
      return found?.key === key ? found : undefined;
    },
    async add(rows) {
      const bytes = Buffer.alloc(rows.length * size);
      rows.forEach((row, index) => {
        writeRecord(bytes.subarray(index * size, (index + 1) * size), row);
      });
      const start = end;
      end += bytes.length; // taken before anything is awaited, so that two calls never write to one place
      own ??= openOwn();
      const file = await orInputError(own);
      for (let written = 0; written < bytes.length; ) {
        const left = bytes.length - written;
        written += (await orInputError(file.write(bytes, written, left, start + written))).bytesWritten;
      }
      rows.forEach(({ key }, index) => {
        places.set(key, { file, at: start + index * size });
      });
    },
    close,
  };
}
