import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { CorruptFileError } from '@rarefy/core';
import type { WritableDtype } from '../table/table.js';

/** The parameters that determine every byte of a job's result. */
export interface EmbedJob {
  /** Fingerprint of the embedder. */
  readonly embedder: string;
  readonly dimensions: number;
  readonly dtype: WritableDtype;
  readonly shardRows: number;
  /** Number of rows in the data. */
  readonly rows: number;
  /** SHA-256 of the ids and items of all rows. */
  readonly rowsSha256: string;
}

/** Description of a shard's rows. A failed row has an id but no numbers. */
export interface ShardHeader {
  /** The job that the shard belongs to. */
  readonly job: EmbedJob;
  /** Number of the shard, from 0. */
  readonly index: number;
  /** Position of the first row in the data. */
  readonly start: number;
  /** One per row, including failed rows. */
  readonly ids: readonly string[];
  /** SHA-256 of ids and items of these rows. */
  readonly rowsSha256: string;
  /** Rows of the shard whose text was truncated. */
  readonly truncated: readonly number[];
  readonly failed: readonly { readonly row: number; readonly message: string }[];
  /** Bytes per row of numbers. The rows that did not fail follow the header, in order. */
  readonly rowBytes: number;
}

export interface Shard {
  readonly header: ShardHeader;
  readonly data: Uint8Array;
}

interface StoredHeader extends ShardHeader {
  /** CRC-32 of each MiB of the data, to check a part without reading the rest. */
  readonly crc32: readonly number[];
}

const magic = Buffer.from('rarefy\n1');
export const blockBytes = 2 ** 20;
const fixedBytes = 16; // magic, length of the header, its CRC-32
const digestBytes = 32;

/** Bytes of a shard: magic, header length and CRC-32, header as JSON, data, SHA-256 of everything before. */
export function encodeShard({ header, data }: Shard): Uint8Array[] {
  const checks: number[] = [];
  for (let start = 0; start < data.length; start += blockBytes) {
    checks.push(crc32(data.subarray(start, start + blockBytes)));
  }
  const json = Buffer.from(JSON.stringify({ ...header, crc32: checks } satisfies StoredHeader));
  const fixed = Buffer.alloc(fixedBytes);
  fixed.set(magic);
  fixed.writeUInt32LE(json.length, 8);
  fixed.writeUInt32LE(crc32(json), 12);
  const parts = [fixed, json, data];
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return [...parts, hash.digest()];
}

/** Decodes a shard and checks every byte; `data` is a view. @throws CorruptFileError if any byte is wrong. */
export function decodeShard(bytes: Uint8Array, name: string): Shard {
  const end = bytes.length - digestBytes;
  const hash = createHash('sha256')
    .update(bytes.subarray(0, Math.max(0, end)))
    .digest();
  if (end < fixedBytes || hash.compare(bytes, end) !== 0) throw damaged(name);
  const { header, dataStart } = decodeHeader(bytes, name);
  return { header, data: bytes.subarray(dataStart, end) };
}

/** Offset of the data, from the first 16 bytes of the file. @throws CorruptFileError if they are not valid. */
export function shardHeaderBytes(first16: Uint8Array, fileBytes: number, name: string): number {
  const view = Buffer.from(first16.buffer, first16.byteOffset, first16.byteLength);
  if (view.length < fixedBytes || !view.subarray(0, 8).equals(magic)) throw damaged(name);
  const end = fixedBytes + view.readUInt32LE(8);
  if (end + digestBytes > fileBytes) throw damaged(name);
  return end;
}

/** The header from the first bytes of a file, and the offset of the data. @throws CorruptFileError if it is damaged. */
export function decodeHeader(bytes: Uint8Array, name: string): { header: StoredHeader; dataStart: number } {
  const dataStart = shardHeaderBytes(bytes.subarray(0, fixedBytes), Number.POSITIVE_INFINITY, name);
  const json = Buffer.from(bytes.buffer, bytes.byteOffset + fixedBytes, Math.min(bytes.length, dataStart) - fixedBytes);
  const expected = Buffer.from(bytes.buffer, bytes.byteOffset, fixedBytes).readUInt32LE(12);
  if (bytes.length < dataStart || crc32(json) !== expected) throw damaged(name);
  return { header: parseHeader(json.toString('utf8'), name), dataStart };
}

/** Checks the fields although the checksum is correct, because the file may come from elsewhere. */
function parseHeader(json: string, name: string): StoredHeader {
  try {
    const header = JSON.parse(json) as StoredHeader;
    const { job, ids, failed, truncated, crc32: checks } = header;
    const isValid = [ids, failed, truncated, checks].every(Array.isArray) && typeof job === 'object' && job !== null;
    if (isValid && ids.every((id) => typeof id === 'string')) return header;
  } catch {
    // reported below
  }
  throw damaged(name);
}

/** @throws CorruptFileError if the checksum of a block of the data differs. */
export function checkBlock(block: Uint8Array, expected: number | undefined, name: string): void {
  if (crc32(block) !== expected) throw damaged(name);
}

function damaged(name: string): CorruptFileError {
  return new CorruptFileError(`${name} is damaged (its checksum differs); run the job again to recompute it`);
}
